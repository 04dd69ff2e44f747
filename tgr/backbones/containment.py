"""A process of its own for programs from elsewhere, which may crash or never end."""

import multiprocessing
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection

import torch

from tgr.errors import TgrError


def run_contained(check: Callable[[], None], seconds: float, what: str) -> None:
    """Run a check in a forked process, on the CPU and one thread, and wait for its end.

    Args:
        what: names the program in error messages.

    Raises:
        TgrError: the check raised it, it took longer than ``seconds``, or its process crashed.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(check, sender), daemon=True)
    process.start()
    sender.close()
    try:
        if not receiver.poll(seconds):
            raise TgrError(f"{what} was stopped, because it gave no answer within {seconds:g} s; it may never end")
        message = receiver.recv_bytes().decode()  # bytes, not objects: nothing of the program's is unpickled
    except EOFError:
        process.join()
        raise TgrError(f"{what} crashed its process (exit code {process.exitcode})") from None
    finally:
        process.kill()
        process.join()
        receiver.close()
    if message:
        raise TgrError(message)


def _run(check: Callable[[], None], sender: Connection) -> None:
    torch.set_num_threads(1)  # threads of OpenMP do not survive a fork
    message = ""
    try:
        check()
    except TgrError as error:
        message = str(error)
    except Exception:
        traceback.print_exc()
        raise SystemExit(1) from None
    sender.send_bytes(message.encode())
