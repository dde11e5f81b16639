"""Do signals and questions reach the loop, and does everything belong to its owner again afterwards?"""

import os
import select
import signal
import threading
from contextlib import closing

from stopgap.admin.status import Answer
from stopgap.gate.bell import SIGNALS, Bell


def test_signals_come_in_order_and_are_given_back() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    with closing(Bell()) as bell:
        bell.listen()
        assert bell.signals() == []
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        assert select.select([bell], [], [], 5)[0] == [bell]
        assert bell.signals() == [signal.SIGHUP, signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in SIGNALS} == before


def test_a_question_rings_and_gets_its_answer() -> None:
    answers: list[Answer] = []
    with closing(Bell()) as bell:
        thread = threading.Thread(target=lambda: answers.append(bell.ask("reload")))
        thread.start()
        assert select.select([bell], [], [], 5)[0] == [bell]
        assert bell.signals() == []
        ((verb, future),) = bell.questions()
        assert verb == "reload"
        future.set_result(Answer(True, "done"))
        thread.join()
    assert answers == [Answer(True, "done")]
