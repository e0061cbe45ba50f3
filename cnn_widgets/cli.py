"""The command line: `cnn-widgets` opens JupyterLab; its commands look, check and write files."""

from __future__ import annotations

import argparse
import io
import os
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from cnn_widgets.audit_command import add_audit
from cnn_widgets.serving.commands import add_commands as add_serving
from cnn_widgets.serving.commands import port
from cnn_widgets.setting_up.commands import add_commands
from cnn_widgets.setting_up.notebooks import FIRST, notebooks_folder
from cnn_widgets.telling import counted


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    It is 0 if all is well, and 1 if `check` finds a regression or a hand-in that is not right,
    `audit` no photograph that can be read, `doctor` a fault, or `bundle --check` a damaged file.

    An expected error (ValueError, OSError, ImportError, TypeError) exits with code 2 and one line
    on standard error. Ctrl-C ends in one line, too, and code 130.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files and people, in any letters
        sys.stdout.reconfigure(errors="replace")
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        return int(options.run(options))
    except (ValueError, OSError, ImportError, TypeError) as error:
        parser.exit(2, f"cnn-widgets: {error}\n")
    except KeyboardInterrupt:
        print("\ncnn-widgets: stopped.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    """Return the parser; the options of `explore` are also accepted without its name."""
    parser = argparse.ArgumentParser(
        prog="cnn-widgets", description="Look inside a convolutional network."
    )
    parser.set_defaults(run=_explore, folder=None, port=8888, no_browser=False)
    commands = parser.add_subparsers(title="commands")
    explore = commands.add_parser("explore", help="open the explorer in JupyterLab (the default)")
    for target in (parser, explore):
        target.add_argument(
            "--folder",
            type=Path,
            default=None,
            help=(
                "where the notebooks are put (default: ./cnn_widgets_notebooks, or ./notebooks in "
                "a checkout)"
            ),
        )
        target.add_argument("--port", type=port, default=8888)
        target.add_argument("--no-browser", action="store_true", help="only print the address")
    add_audit(commands)
    _add_check(commands)
    add_commands(commands)
    add_serving(commands)
    report = commands.add_parser("report", help="write predictions, mosaics and overlays")
    report.set_defaults(run=_report)
    report.add_argument("images", nargs="+", metavar="IMAGE", help="a file or an http(s) address")
    report.add_argument(
        "--model",
        default=None,
        metavar="NAME",
        help="a keras.applications classifier or a .keras file",
    )
    report.add_argument("--layer", default=None, help="layer of the mosaic and of the heat-map")
    report.add_argument(
        "--class",
        dest="class_name",
        default=None,
        metavar="CLASS",
        help="class to explain, by name or index",
    )
    report.add_argument("--method", default="grad-cam")
    report.add_argument("-o", "--out", type=Path, default=Path("out"))
    return parser


def _add_check(commands: Any) -> None:
    check = commands.add_parser(
        "check", help="whether a network still answers as it did, and why; or a folder of hand-ins"
    )
    check.set_defaults(run=_check)
    check.add_argument(
        "model", help="a keras.applications classifier or a .keras file; alone: hand-ins to check"
    )
    check.add_argument("images", nargs="?", help="a folder, a pattern, a zip or a CSV")
    what = check.add_mutually_exclusive_group()
    what.add_argument("--keep", type=Path, metavar="FOLDER",
                      help="write down what the network answers, and the evidence")  # fmt: skip
    what.add_argument("--against", type=Path, metavar="FOLDER",
                      help="compare with what was kept; exit code 1 if it changed")  # fmt: skip
    check.add_argument("--method", default=None, help="with --keep: the map (default: grad-cam)")
    check.add_argument("--junit", type=Path, default=None, metavar="XML",
                       help="with --against: write a JUnit report")  # fmt: skip
    check.add_argument("--tolerance", action="append", default=[], metavar="NAME=NUMBER",
                       help="with --against: how much may change, such as cka=0.9")  # fmt: skip
    check.add_argument("--class-names", metavar="NAMES",
                       help="those of a model that has none: a file, or cat,dog,fox")  # fmt: skip
    check.add_argument("--with-model", metavar="NAME", help="for hand-ins: the class's network")
    check.add_argument("--with-images", metavar="PHOTOS", help="for hand-ins: its photographs")


def _check(options: argparse.Namespace) -> int:
    """Keep a network's answers and evidence, compare it with what was kept, or check hand-ins."""
    if options.images is None and not (options.keep or options.against):
        if options.method or options.junit or options.tolerance:
            raise ValueError("--method, --junit and --tolerance are not for hand-ins.")
        return _check_hand_ins(options)
    if options.images is None or not (options.keep or options.against):
        raise ValueError(
            "With a model and images one of the arguments --keep --against is required; or name "
            "a folder of hand-ins alone."
        )
    if options.with_model or options.with_images:
        raise ValueError("--with-model and --with-images are for hand-ins.")
    from cnn_widgets.attribution import find_method
    from cnn_widgets.datasets import open_images
    from cnn_widgets.networks import load_network
    from cnn_widgets.regression import check_against, keep_evidence, load_evidence, tolerances_from

    if options.keep and (options.junit or options.tolerance):
        raise ValueError("--junit and --tolerance belong to --against.")
    if options.against and options.method:
        raise ValueError("--method belongs to --keep; a check uses the method that was kept.")
    method = find_method(options.method or "grad-cam").name  # before the network, which takes long
    allowed, named = tolerances_from(options.tolerance), _named(options)
    if options.against:
        load_evidence(options.against)
    images = open_images(options.images)
    net = load_network(options.model, progress=lambda line: print(line, file=sys.stderr), **named)
    if options.keep:
        kept = keep_evidence(net, images, options.keep, method=method)
        print(f"kept: {counted(len(kept.photographs), 'photograph')} in {options.keep}")
        return 0
    found = check_against(net, images, options.against, tolerances=allowed)
    if options.junit:
        print(f"written: {found.write_junit(options.junit)}")
    for line in [found.summary(), *found.causes, *found.notes]:
        print(line)
    for case in found.failures[:20]:
        print(f"  {case.subject} {case.name!r}: {case.words}")
    if len(found.failures) > 20:
        print(f"  … and {len(found.failures) - 20:,} more")
    return 0 if found.passed else 1


def _check_hand_ins(options: argparse.Namespace) -> int:
    """Compute hand-ins again and print what became of each pinned view; 1 if any is not right."""
    from cnn_widgets.classroom import check_hand_ins, left_out, listed

    network, named = options.with_model, _named(options)
    if named:
        from cnn_widgets.networks import load_network

        network = load_network(network, **named)
    works = check_hand_ins(options.model, network, options.with_images)
    print(*listed(works), *(f"left out: {each}" for each in left_out(options.model)), sep="\n")
    return 0 if all(work.verdict == "right" for work in works) else 1


def _named(options: argparse.Namespace) -> dict[str, Any]:
    """Return the class names given, as an option of `load_network`; nothing without them."""
    from cnn_widgets.model_files.name_lists import names_from_text

    given = options.class_names
    return {} if given is None else {"class_names": names_from_text(given)}


def _report(options: argparse.Namespace) -> int:
    """Write the report and print each image's most likely class."""
    from cnn_widgets.attribution import find_method
    from cnn_widgets.images import load_image
    from cnn_widgets.networks import load_network
    from cnn_widgets.report import write_report

    find_method(options.method)  # fails before the network is loaded, which takes seconds
    samples = [load_image(source) for source in options.images]
    net = load_network(options.model, progress=lambda line: print(line, file=sys.stderr))
    written = write_report(
        net,
        samples,
        options.out,
        layer=options.layer,
        class_name=options.class_name,
        method=options.method,
    )
    for sample, best in zip(samples, net.predict(samples, top=1), strict=True):
        print(f"{sample.name}: {best[0].name} ({best[0].probability:.1%})")
    print(f"written: {written}")
    return 0


def _explore(options: argparse.Namespace) -> NoReturn:
    """Replace this process by JupyterLab, opened on the first notebook."""
    folder = notebooks_folder(options.folder)
    print(f"The notebooks are in {folder}.")
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/doc/tree/{FIRST}",  # single-document mode: full width
        "--LabApp.news_url=None",
        f"--port={options.port}",
    ]
    if options.no_browser or not _has_browser():
        print("Open the address printed below (the one with a token) in a browser.")
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    # JupyterLab's defaults for this run only: no question about news, no look for updates
    paths = [str(Path(__file__).resolve().parent / "lab_settings")]
    paths += filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(paths)
    sys.stdout.flush()
    os.execv(command[0], command)


def _has_browser() -> bool:
    """Return whether Python finds a web browser on this machine."""
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
