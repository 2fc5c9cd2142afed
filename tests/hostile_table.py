"""What the commands say to each file of `tests.hostile` and `tests.hostile_videos`, and to words that make no sense."""

from tests.hostile_videos import NO_VIDEOS

# What is run, with what (D: the folder of the fixture), and all that it says; ... stands for the words of others:
# pydantic, PyYAML, safetensors, torch, argparse and the system.
TABLE = [
    (
        "train", "D/broken.yaml",
        "error: D/broken.yaml: not valid YAML: ...",
    ),
    (
        "train", "D/twice.yaml",
        "error: D/twice.yaml: not valid YAML: key 'l1' is given twice ...",
    ),
    (
        "train", "D/list.yaml",
        "error: D/list.yaml: a config has sections with keys (data:, model:, ...); this is a list",
    ),
    (
        "train", "D/latin.yaml",
        "error: D/latin.yaml: not text in UTF-8, as configs are; save it so",
    ),
    (
        "train", "D/missing.yaml",
        "error: D/missing.yaml: cannot be read as a config (...)",
    ),
    (
        "train", "D",
        "error: D: cannot be read as a config (...)",
    ),
    (
        "train", "D/empty.yaml",
        "error: D/empty.yaml: loss: missing, and it has no default\n"
        "       D/empty.yaml: train: missing, and it has no default",
    ),
    (
        "train", "D/small.yaml train.sede=1",
        "error: command line: train.sede: unknown key; must be one of stages, start_from, seed, wd, ema, device, "
        "precision, accumulate, workers, checkpoint_minutes, tensorboard; did you mean 'seed'?",
    ),
    (
        "train", "D/small.yaml model.pretrained=5",
        "error: command line: model.pretrained = 5: must be a valid boolean or must be a path",
    ),
    (
        "train", "D/small.yaml model.norm=spektral",
        "error: command line: model.norm = spektral: must be one of batch, weight, spectral, none; did you mean "
        "'spectral'?",
    ),
    (
        "train", "D/small.yaml train.stages.0.epochs=many",
        "error: command line: train.stages.0.epochs = many: ...",
    ),
    (
        "train", "D/small.yaml loss.l1=.nan",
        "error: command line: loss.l1 = nan: ...",
    ),
    (
        "train", "D/small.yaml loss.l1=-1",
        "error: command line: loss.l1 = -1: ...",
    ),
    (
        "train", "D/small.yaml train.stages.0.lr=.inf",
        "error: command line: train.stages.0.lr = inf: ...",
    ),
    (
        "train", "D/small.yaml loss.l1=0",
        "error: command line: loss: every term is zero: give at least one of l1, mse, psnr, ssim, features, gram a "
        "weight",
    ),
    (
        "train", "D/small.yaml train.stages=[]",
        "error: command line: train.stages = []: ...",
    ),
    (
        "train", "D/small.yaml train.stages.5.bs=1",
        "error: command line: train.stages.5.bs: '5' must be a number from 0 to 0 (which list entry)",
    ),
    (
        "train", "D/small.yaml train.seed",
        "error: command line: 'train.seed': write an override as section.key=value, for example train.seed=1",
    ),
    (
        "train", "D/small.yaml train.seed=-1",
        "error: command line: train.seed = -1: ...",
    ),
    (
        "train", "D/small.yaml train.seed=[1",
        "error: command line: train.seed: '[1' is not a YAML value",
    ),
    (
        "train", "D/small.yaml data.scale=3",
        "error: command line: data.scale = 3: must be one of 1, 2, 4, 8",
    ),
    (
        "train", "D/small.yaml train.stages.0.crop=33",
        "error: D/small.yaml with the command line: train.stages.0.crop = 33: must be a multiple of data.scale = 2, "
        "such as 32 or 34",
    ),
    (
        "train", "D/small.yaml data.path=D/nowhere",
        "error: D/nowhere: no such folder of photos",
    ),
    (
        "train", "D/small.yaml data.path=D/file",
        "error: D/file: is a file, not a folder of photos",
    ),
    (
        "train", "D/small.yaml data.path=D/none",
        "error: D/none: no photos in this folder (1 other files; photos end in ... .jpg ... .png ...)",
    ),
    (
        "train", "D/small.yaml data.path=D/bad",
        "error: none of 7 photos is usable; the lines above say why",
    ),
    (
        "train", "D/small.yaml data.valid=[x*]",
        "error: data.valid: 'x*' matches no photo of D/photos",
    ),
    (
        "train", "D/small.yaml train.stages.0.bs=9",
        "error: train.stages.0.bs = 9: more than the 2 crops of an epoch (2 photos x data.crops_per_photo = 1); lower"
        " it or take more crops",
    ),
    (
        "train", "D/small.yaml train.accumulate=3",
        "error: train.stages.0.bs = 2: must be a multiple of 3, to be divided between 1 processes and "
        "train.accumulate = 3",
    ),
    (
        "train", "D/small.yaml output.path=D/file",
        "error: D/file/run: cannot make the run folder (...); set output.path",
    ),
    (
        "train", "D/small.yaml",
        "error: D/run: exists, and a run never overwrites another; choose another output.name",
    ),
    (
        "train", "D/small.yaml output.path=D/file output.name=x",
        "error: D/file/x: cannot make the run folder (...); set output.path",
    ),
    (
        "train", "D/small.yaml train.precision=fp16",
        "error: train.precision = fp16: needs a CUDA GPU, this run is on cpu; set auto, fp32 or bf16",
    ),
    (
        "train", "D/small.yaml train.device=tpu",
        "error: device tpu: not available here (...",
    ),
    (
        "train", "D/small.yaml 'loss.features={weight: 1, layers: {relu1_1: 1}}' loss.vgg=D/nothing.pth",
        "error: loss.vgg = D/nothing.pth: no such file. Give 'torchvision', 'random', or an existing weights file.",
    ),
    (
        "train", "D/small.yaml 'loss.features={weight: 1, layers: {relu1_1: 1}}' loss.vgg=D/evil.pth",
        "error: loss.vgg = D/evil.pth: cannot be read as a file of weights. Give a .safetensors file, or a .pth file "
        "that holds a state dict and nothing else.",
    ),
    (
        "train", "D/small.yaml 'loss.features={weight: 1, layers: {relu1_1: 1}}' loss.vgg=D/cut.safetensors",
        "error: loss.vgg = D/cut.safetensors: cannot be read as a file of weights. Give a .safetensors file, or a "
        ".pth file that holds a state dict and nothing else.",
    ),
    (
        "train", "D/small.yaml 'loss.features={weight: 1, layers: {relu1_1: 1}}' loss.vgg=D/model.safetensors",
        "error: loss.vgg = D/model.safetensors: not a VGG16 in torchvision's layout (features.0.weight ...)",
    ),
    (
        "train", "D/small.yaml 'loss.features={weight: 1, layers: {relu9_1: 1}}'",
        "error: command line: loss.features.layers.relu9_1: must be one of relu1_1, relu1_2, relu2_1, relu2_2, "
        "relu3_1, relu3_2, relu3_3, relu4_1, relu4_2, relu4_3, relu5_1, relu5_2, relu5_3; did you mean 'relu5_1'?",
    ),
    (
        "train", "--resume D/nowhere",
        "error: --resume D/nowhere: no such run folder",
    ),
    (
        "train", "--resume D/started",
        "error: --resume D/started: not a run folder (no config.yaml in it), or stopped before it began: start a new "
        "run",
    ),
    (
        "train", "--resume D/colours",
        "error: --resume D/colours: a run of colorize; use python -m colorize.train",
    ),
    (
        "train", "--resume D/torn",
        "error: D/torn/checkpoints/resume.pt: broken, or not what --resume saves; delete it to train from the "
        "beginning",
    ),
    (
        "train", "--resume D/evil",
        "error: D/evil/checkpoints/resume.pt: broken, or not what --resume saves; delete it to train from the "
        "beginning",
    ),
    (
        "train", "--resume D/strange",
        "error: D/strange/checkpoints/resume.pt: broken, or not what --resume saves; delete it to train from the "
        "beginning",
    ),
    (
        "train", "--resume D/photoless",
        "error: D/photoless/photos.json: not the photos of a run; without it the run cannot be continued",
    ),
    (
        "train", "--resume D/earlier data.scale=4 train.stages.0.lr=1 train.workers=1",
        "error: D/earlier: was not trained with these, so it cannot continue with them:\n"
        "       data.scale: 2 -> 4\n"
        "       train.stages.0.lr: 0.001 -> 1.0\n"
        "       What may change: data.path (where the same photos are now), data.low (where the same files are now), "
        "loss.vgg (where the same file is now), train.device, train.precision, train.workers, train.accumulate, "
        "train.checkpoint_minutes, train.tensorboard;"
        " epochs of the current stage and of later ones (train.stages.0.epochs, at least 0), and more stages, with "
        "crops no larger. Anything else is a new run, without --resume",
    ),
    (
        "train", "--resume D/earlier data.path=D/none",
        "error: data.path = D/none: too few photos of this run are here; give their folder",
    ),
    (
        "predict", "D/nothing.safetensors D/photos -o D/out",
        "error: D/nothing.safetensors: no such model file",
    ),
    (
        "predict", "D/cut.safetensors D/photos -o D/out",
        "error: D/cut.safetensors: not a complete .safetensors file (...). "
        "Give the model.safetensors that training wrote.",
    ),
    (
        "predict", "D/empty.safetensors D/photos -o D/out",
        "error: D/empty.safetensors: not a complete .safetensors file (...). "
        "Give the model.safetensors that training wrote.",
    ),
    (
        "predict", "D/other.safetensors D/photos -o D/out",
        "error: D/other.safetensors: a model for colorize, not for superres: use python -m colorize.predict",
    ),
    (
        "predict", "D/newer.safetensors D/photos -o D/out",
        "error: D/newer.safetensors: written by a newer version (format 99, this program reads 3): update the program",
    ),
    (
        "predict", "D/foreign.safetensors D/photos -o D/out",
        "error: D/foreign.safetensors: neither a model of this program nor one that spandrel recognises",
    ),
    (
        "predict", "D/unfit.safetensors D/photos -o D/out",
        "error: D/unfit.safetensors: its weights do not fit the model that its config describes: ...",
    ),
    (
        "predict", "D/strange.safetensors D/photos -o D/out",
        "error: D/strange.safetensors: its config does not fit this version of the program: ...",
    ),
    (
        "predict", "D/export.pkl D/photos -o D/out",
        "error: D/export.pkl: a pickle, and opening one can run any code that somebody put into it. Give the "
        "model.safetensors that training wrote beside it; or, if you know who made an export.pkl, predict with "
        "--trust-pickle",
    ),
    (
        "predict", "D/renamed.safetensors D/photos -o D/out",
        "error: D/renamed.safetensors: not a complete .safetensors file (...). "
        "Give the model.safetensors that training wrote.",
    ),
    (
        "predict", "D/model.safetensors D/nothing.png -o D/out",
        "error: D/nothing.png: no such photo or folder",
    ),
    (
        "predict", "D/model.safetensors D/none -o D/out",
        "error: D/none: no photos in this folder (1 other files; photos end in ... .jpg ... .png ...)",
    ),
    (
        "predict", "D/model.safetensors D/photos -o D/file",
        "error: D/file: cannot be created as a folder for the results (...)",
    ),
    (
        "predict", "D/model.safetensors D/photos -o D/photos",
        "error: D/photos/0.png: is one of the photos to read; give another folder with -o",
    ),
    (
        "predict", "D/model.safetensors D/photos -o D/out --tile big",
        "...python -m superres.predict: error: argument --tile: ...",
    ),
    (
        "predict", "D/model.safetensors D/photos -o D/out --tile -3",
        "...python -m superres.predict: error: argument --tile: -3: must be 1 or more",
    ),
    (
        "predict", "D/model.safetensors D/photos -o D/out --device cuda:7",
        "error: device cuda:7: not available here (...",
    ),
    (
        "train", "D/small.yaml 'model={network: srcnn, norm: batch}'",
        "error: command line: model: norm: network: srcnn has none; leave it out, or set network: unet",
    ),
    (
        "train", "D/small.yaml 'model={network: spandrel, architecture: Spam}'",
        "error: model.architecture: spandrel has no Spam; did you mean 'SPAN'?",
    ),
    (
        "predict", "D/evil.pth D/photos -o D/out",
        "error: D/evil.pth: cannot be read as weights alone (UnpicklingError). It is broken, or a pickle that would "
        "run code, which is refused: get it as .safetensors",
    ),
    (
        "compare", "",
        "error: give a STUDY.yaml, such as one of configs/compare, or --resume FOLDER",
    ),
    (
        "compare", "D/nothing.yaml",
        "error: D/nothing.yaml: cannot be read as a config (...)",
    ),
    (
        "compare", "D/small.yaml",
        "error: D/small.yaml: base: missing, and it has no default\n"
        "       D/small.yaml: variants: missing, and it has no default\n"
        "       D/small.yaml: data: unknown key; must be one of base, changes, variants\n"
        "       D/small.yaml: model: unknown key; must be one of base, changes, variants\n"
        "       D/small.yaml: loss: unknown key; must be one of base, changes, variants\n"
        "       D/small.yaml: train: unknown key; must be one of base, changes, variants\n"
        "       D/small.yaml: output: unknown key; must be one of base, changes, variants",
    ),
    (
        "compare", "D/lonely.yaml",
        "error: D/lonely.yaml: variants = {'a': {}}: ...",
    ),
    (
        "compare", "D/names.yaml",
        "error: D/names.yaml: variants.a/b = {}: ...",
    ),
    (
        "compare", "D/study.yaml model.nrm=batch",
        "error: command line: model.nrm: unknown key; must be one of encoder, pretrained, norm, attention, blur, "
        "network, upsample, architecture, options, on_bicubic; did you mean 'norm'?",
    ),
    (
        "compare", "D/study.yaml model.norm=batch",
        "error: D/study.yaml: variants.a and variants.b are the same config with the command line's keys",
    ),
    (
        "compare", "D/taken.yaml",
        "error: D/taken.yaml: variants.target: reserved for the comparison; choose another name",
    ),
    (
        "compare", "D/wrong.yaml",
        "error: D/wrong.yaml: variants.b: loss.l2: unknown key; must be one of vgg, l1, mse, psnr, psnr_mae, ssim,"
        " tv, features, gram",
    ),
    (
        "compare", "D/unfair.yaml",
        "error: D/unfair.yaml: variants.b: data: must be the same in every variant; set it under changes",
    ),
    (
        "compare", "D/baseless.yaml",
        "error: D/none.yaml: cannot be read as a config (...)",
    ),
    (
        "compare", "D/study.yaml train.stages.0.bs=8",
        "error: train.stages.0.bs = 8: more than the 2 crops of an epoch (2 photos x data.crops_per_photo = 1); "
        "lower it or take more crops",
    ),
    (
        "compare", "D/study.yaml output.name=run",
        "error: D/run: exists, and a run never overwrites another; choose another output.name",
    ),
    (
        "compare", "D/vgg.yaml",
        "error: loss.vgg = D/none.pth: no such file. Give 'torchvision', 'random', or an existing weights file.",
    ),
    (
        "compare", "D/study.yaml --lpips D/model.safetensors",
        "error: --lpips = D/model.safetensors: not an AlexNet or SqueezeNet 1.1 in torchvision's layout "
        "(features.0.weight ...)",
    ),
    (
        "compare", "--resume D/earlier",
        "error: --resume D/earlier: not the folder of a study (no study.yaml in it)",
    ),
    (
        "compare", "D/fast.yaml",
        "error: train.precision = fp16: needs a CUDA GPU, this run is on cpu; set auto, fp32 or bf16",
    ),
    (
        "compare", "--resume D/colour_study",
        "error: --resume D/colour_study: a study of colorize; use python -m colorize.compare",
    ),
    (
        "evaluate", "--baseline bicubic --scale 2 --data D/photos --vgg D/model.safetensors",
        "error: --vgg = D/model.safetensors: not a VGG16 in torchvision's layout (features.0.weight ...)",
    ),
    (
        "evaluate", "--baseline bicubic --scale 2 --data D/bad",
        "error: none of 7 photos could be measured",
    ),
    (
        "evaluate", "D/model.safetensors --data D/nowhere",
        "error: D/nowhere: no such folder of photos",
    ),
    (
        "evaluate", "D/model.safetensors --data D/photos --scale 4",
        "error: --scale 4: D/model.safetensors enlarges 2 times",
    ),
    (
        "evaluate", "--data x",
        "error: give either a MODEL or --baseline",
    ),
    *(
        ("evaluate", f"D/model.safetensors --data D/videos/{name}", f"error: D/videos/{name}: {message}")
        for name, message in NO_VIDEOS.items()
    ),
    (
        "evaluate", "D/model.safetensors --data D/videos/none.mp4",
        "error: D/videos/none.mp4: cannot be opened as a video; is it cut off? (...)",
    ),
    (
        "evaluate", "--baseline bicubic --scale 2 --data D/videos/one.mp4",
        "error: --data D/videos/one.mp4: a video is measured with a MODEL, and without ...",
    ),
    (
        "predict", "D/model.safetensors D/videos/one.mp4 -o one.png",
        "error: -o one.png: D/videos/one.mp4 is a video; give a name that fits",
    ),
]  # fmt: skip
