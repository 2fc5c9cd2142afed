"""The U-Net, the VGG16 and their weights; model files."""
