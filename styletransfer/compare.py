"""Trains variants of one config under the same conditions and compares them: weights, layers, networks, sizes.

All are measured by one loss, whatever each was trained on, so that their style and content are comparable.

python -m styletransfer.compare configs/compare/style_losses.yaml data.path=~/photos   keys are for every variant
python -m styletransfer.compare --resume runs/STUDY                                    continues a stopped study
"""

from common.runtime.command import run_command
from common.runtime.errors import UserError
from common.studies.study import SAME_SECTIONS, read_compare_arguments
from styletransfer.config import Config


def main() -> int:
    arguments = read_compare_arguments(
        "styletransfer.compare",
        __doc__,
        Config,
        reserved_names=("photo", "style"),
        same_sections=(*SAME_SECTIONS, "style"),
    )
    from common.studies.compare import compare_command
    from styletransfer.style import is_conditional
    from styletransfer.task import TASK

    if any(is_conditional(config.style) for config in arguments.configs.values()):
        raise UserError("style.image: a study has one style; give one picture")
    return compare_command(TASK, arguments)


if __name__ == "__main__":
    run_command(main)
