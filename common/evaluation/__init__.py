"""Measuring pictures: PSNR, SSIM, distances to a network; tables and pictures side by side."""
