"""Training the variants of a study one after the other, under the same conditions, and comparing them."""

import gc
import logging
import shutil
import sys
from functools import partial
from pathlib import Path

from torchvision.models import VGG16_Weights

from common.cli import add_perceptual_arguments, get_parser, run_training
from common.data.dataloaders import check_batch_sizes
from common.evaluation.perceptual import get_perceptual_metrics
from common.models.weights import torchvision_if_cached
from common.runtime import processes
from common.runtime.command import log_to_file
from common.runtime.errors import TrainingDiverged, UserError
from common.runtime.files import atomic_write
from common.studies.report import render_report
from common.studies.study import SavedStudy, load_study, read_study, save_study
from common.training.learner import resolve_train_config
from common.training.run_folder import absolute_weights_path, make_folder_for, with_absolute_paths
from common.training.run_photos import PHOTOS_FILE, get_run_photos, save_photo_split

log = logging.getLogger(__name__)

FINISHED, DIVERGED = "comparison.png", "diverged.txt"  # what the end of a training leaves, one way or the other


def compare_command(name, doc, config_class, get_photos, build, train, evaluate, best, taken):
    """Reads `STUDY.yaml [section.key=value ...]` or `--resume FOLDER ...`, trains, compares; returns the exit status.

    name: of the module, TASK.compare. The task's functions: get_photos(config); build(config) -> (model, loss);
    train(config, name, resume, photos); evaluate(photos, config, {variant: model file}, folder, perceptual, device) ->
    {"kind metric": average}, of a baseline and the variants. best: {metric: max or min}. taken: what no variant may be
    called, because evaluate shows it beside them.
    """
    args = parse_arguments(name, doc)
    study, configs = open_study(args, name.partition(".")[0], config_class, taken)
    first = next(iter(configs.values()))
    for config in configs.values():  # so that what is missing or wrong is found out before the first training
        device = processes.join(config.train.device)
        resolve_train_config(config.train, True, device)
    photos = study_photos(args.resume, configs, get_photos)
    for config in configs.values():
        build(config)
    perceptual, notes = get_perceptual_metrics(study.vgg, study.lpips, device)
    folder = args.resume or processes.run_on_main(partial(start_study, study.name, first, photos))
    if processes.is_main():
        save_study(folder, study, {name: with_absolute_paths(config) for name, config in configs.items()})
    log.info("study folder: %s", folder)
    diverged = []

    def work():
        diverged.extend(train_variants(folder, configs, train, photos))
        if not processes.is_main():
            return
        log_to_file(folder / "log.txt")
        log.info("\nall variants, held-out photos:")
        models = {variant: folder / variant / "model.safetensors" for variant in configs if variant not in diverged}
        if study.vgg in {config.loss.vgg for config in configs.values() if config.loss.vgg_layers()}:
            notes.append("Variants whose loss sees a VGG16 were trained on this very one.")
        averages = evaluate(photos[1], first, models, folder, perceptual, device)
        report = render_report(study, configs, photos, folder, averages, best, diverged, notes)
        with atomic_write(folder / "report.md") as temporary:
            temporary.write_text(report, encoding="utf-8")
        log.info("report:         %s", folder / "report.md")

    # The main process alone says that one diverged: a launcher ends all when one fails, and it still has to measure.
    return run_training(name, work, lambda: folder) or int(processes.is_main() and bool(diverged))


def parse_arguments(name, doc):
    usage = f"python -m {name} STUDY.yaml [section.key=value ...]\n       python -m {name} --resume FOLDER"
    parser = get_parser(name, doc, usage=usage)
    parser.add_argument("study", nargs="*", metavar="STUDY.yaml section.key=value", help="keys are for every variant")
    parser.add_argument("--resume", type=Path, metavar="FOLDER", help="folder of a study that was stopped: it goes on")
    add_perceptual_arguments(parser)
    args = parser.parse_intermixed_args()
    if args.resume is None and not args.study:
        raise UserError("give a STUDY.yaml, such as one of configs/compare, or --resume FOLDER")
    return args


def open_study(args, task, config_class, taken):
    """(SavedStudy, {variant: its config}) of the command line: of a study file, or of an earlier start's folder."""
    if args.resume is not None:
        study, configs = load_study(args.resume, task, config_class, args.study)
        return study.model_copy(update={"vgg": args.vgg or study.vgg, "lpips": args.lpips or study.lpips}), configs
    path, *words = args.study
    title, variants, configs = read_study(Path(path), config_class, words, taken)
    trained_with = [config.loss.vgg for config in configs.values() if config.loss.vgg_layers()]
    vgg = args.vgg or (trained_with or [torchvision_if_cached(VGG16_Weights.IMAGENET1K_V1) or "random"])[0]
    weights = {"vgg": absolute_weights_path(vgg), "lpips": absolute_weights_path(args.lpips)}
    return SavedStudy(task=task, name=title, command=sys.orig_argv, variants=variants, **weights), configs


def study_photos(resume, configs, get_photos):
    """(training photos, held-out photos) of all variants. Raises UserError if there are too few for one of them."""
    largest = max(configs.values(), key=lambda config: config.train.largest_crop())
    photos = get_run_photos(resume, largest, get_photos)
    for config in configs.values():
        check_batch_sizes(len(photos[0]), config.data, config.train)
    return photos


def start_study(title, config, photos):
    """Makes the study's folder and returns its path. config: of the first variant."""
    folder = make_folder_for(config.output, title)
    save_photo_split(folder / PHOTOS_FILE, photos, config.data.path)
    return folder


def train_variants(folder, configs, train, photos):
    """Trains what is not finished in `folder`, each variant in a run folder in it; returns those that diverged."""
    diverged = []
    for number, (name, config) in enumerate(configs.items(), start=1):
        run = folder / name
        if processes.is_main():
            log_to_file(folder / "log.txt")
        if (run / DIVERGED).exists():
            diverged.append(name)
        finished, begun = name in diverged or (run / FINISHED).exists(), (run / "config.yaml").exists()
        log.info("\nvariant %d of %d: %s%s", number, len(configs), name, " is finished" if finished else "")
        if finished:
            continue
        if processes.is_main() and run.exists() and not begun:
            shutil.rmtree(run)  # of a start that was killed before its run began
        output = config.output.model_copy(update={"path": folder, "name": name})
        try:
            train(config.model_copy(update={"output": output}), name, run if begun else None, photos)
        except TrainingDiverged as error:
            (run / DIVERGED).write_text(f"{error}\n", encoding="utf-8")
            if processes.count() > 1:
                raise  # the others do not know; the study goes on with --resume
            log.error("variant %s: %s", name, error)
            diverged.append(name)
        gc.collect()  # a learner is full of cycles, and holds the GPU's memory
    return diverged
