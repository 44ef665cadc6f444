"""The child process of a call: `python -m videoguard.child MODULE`; without a module, that of a block of `keeping_process`.

A module has `SERVED`, the type of its request and its handler, in itself or in its `__main__` part. The processes that a
handler starts import this small file and not the libraries of the handler.
"""

import sys

from videoguard.subprocesses import serve, serve_all

if __name__ == "__main__":
    if sys.argv[1:]:
        serve(sys.argv[1])
    else:
        serve_all()
