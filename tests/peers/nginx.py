"""Runs nginx on ports that the system chooses.

    nginx.py NGINX RUN BACKEND

NGINX is the program, RUN an empty folder for its files, BACKEND the port that it passes calls on to. Prints its ports.
Ends with its input, and so with whoever started it.

nginx itself cannot be given port 0. But it takes over sockets that listen already, as it does from its own predecessor
when it is replaced while it runs: by the variable NGINX, which lists them.
"""

import os
import pathlib
import socket
import subprocess
import sys

PORTS = 3


def main():
    program, run, backend = sys.argv[1:]
    run = pathlib.Path(run).resolve()
    listeners = [socket.create_server(("127.0.0.1", 0), backlog=511) for _ in range(PORTS)]
    ports = [listener.getsockname()[1] for listener in listeners]
    text = pathlib.Path(__file__).with_name("nginx.conf").read_text()
    text = text.replace("RUN", str(run)).replace("BACKEND", backend)
    for index, port in enumerate(ports):
        text = text.replace(f"PORT{index}", str(port))
    conf = run / "nginx.conf"
    conf.write_text(text)

    handles = [listener.fileno() for listener in listeners]
    nginx = subprocess.Popen(
        [program, "-p", str(run), "-e", str(run / "nginx.log"), "-c", str(conf)],
        env=os.environ | {"NGINX": "".join(f"{handle};" for handle in handles)},
        pass_fds=handles,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    for listener in listeners:
        listener.close()
    try:
        print(*ports, flush=True)
        sys.stdin.read()
    finally:
        nginx.terminate()
        nginx.wait()


main()
