"""Measuring pictures: PSNR, SSIM, perceptual distances; tables and pictures side by side."""
