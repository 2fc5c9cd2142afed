"""python -m denoise.evaluate MODEL.safetensors --data FOLDER"""

from common.commands.evaluate import get_evaluate_parser, open_evaluation
from common.runtime.command import run_command


def main():
    args = get_evaluate_parser("denoise.evaluate", __doc__).parse_args()
    evaluation = open_evaluation(args)
    from denoise.task import evaluate, load_model

    model = load_model(args.model).to(evaluation.device)
    evaluate(evaluation.photos, model.sigma, {"prediction": model}, evaluation.folder)


if __name__ == "__main__":
    run_command(main)
