"""Locust: one user per connection, which sends and waits for the answer; `constant_throughput` keeps its rate if it can. RATE 0 is flood."""

import os
import time

import websocket
from locust import User, constant, constant_throughput, task

RATE = float(os.environ["RATE"])
TEXT = "x" * 64


class Client(User):
    wait_time = constant_throughput(RATE) if RATE else constant(0)

    def on_start(self):
        self.socket = websocket.create_connection(os.environ["URL"], timeout=10)

    def on_stop(self):
        self.socket.close()

    @task
    def echo(self):
        started = time.perf_counter()
        failure = None
        try:
            self.socket.send(TEXT)
            self.socket.recv()
        except Exception as error:
            failure = error
        self.environment.events.request.fire(
            request_type="ws",
            name="echo",
            response_time=(time.perf_counter() - started) * 1000,
            response_length=len(TEXT),
            exception=failure,
            context={},
        )
