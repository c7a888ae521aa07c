"""What the page says when the server says no, and what it does about it."""

from tests.web.drive import choose, done, upload


def failed(tab):
    tab.locator("li.failed").first.wait_for()
    return tab.locator("li.failed").first.inner_text()


FOR_GOOD = {
    401: "does not know this browser",
    403: "refused this page",
    404: "no such model",
    413: "too large for this server",
    415: "does not read files of this kind",
    422: "could not be used",
    500: "status 500",
}
FOR_NOW = {429: "busy", 503: "not ready", 504: "too slow"}


def test_refusals_for_good_are_told_in_words_once(tab, stub):
    stub.refusals = [(status, f"at most {status} parsecs <b>", {"Retry-After": "0"}) for status in FOR_GOOD]
    choose(tab, *[upload(f"{status}.png") for status in FOR_GOOD])
    tab.locator("li.failed").nth(len(FOR_GOOD) - 1).wait_for()
    for status, words in FOR_GOOD.items():
        assert words in tab.locator("li.failed", has_text=f"at most {status} parsecs <b>").inner_text()
    assert len(stub.asked) == len(FOR_GOOD)
    assert "parsecs" in tab.locator("[aria-live=polite]").inner_text()


def test_refusals_for_now_are_tried_again(tab, stub):
    for count, (status, words) in enumerate(FOR_NOW.items(), 1):
        stub.refusals = [(status, "later", {"Retry-After": "1"})]
        choose(tab, upload())
        tab.get_by_text(f"{words}; trying again in 1 s (try 2 of 6)").wait_for()
        done(tab, count)
        assert len(stub.asked) == 2 * count
    assert tab.locator("li .note").count() == 0


def test_a_server_that_stays_busy_is_said_so_and_a_person_may_try_again(tab, stub):
    stub.refusals = [(429, "the queue of 8 is full", {"Retry-After": "0"})] * 6
    choose(tab, upload())
    assert "Try again later. The server says: the queue of 8 is full." in failed(tab)
    assert len(stub.asked) == 6
    tab.get_by_role("button", name="Try again").press("Enter")
    done(tab)


def test_one_failure_does_not_stop_the_others(tab, stub):
    stub.refusals = []
    choose(tab, upload("a.png"), upload("b.txt", b"no picture", "text/plain"), upload("c.png"))
    done(tab, 2)
    assert "kind PNG, JPEG and TIFF" in failed(tab)
    assert tab.locator(".progress").inner_text().strip() == "2 / 3, 1 failed"


def test_a_file_above_the_limit_is_not_sent(visit, stub):
    stub.limits = {"body_bytes": 100}
    tab = visit(stub.address)
    tab.wait_for_load_state("networkidle")
    choose(tab, upload())
    assert "too large for this server" in failed(tab)
    assert stub.asked == []


def test_a_server_that_is_gone_is_said_so(tab, stub):
    tab.route("**/v1/predict*", lambda route: route.abort())
    tab.clock.install()
    choose(tab, upload())
    tab.get_by_text("The server did not answer; trying again in 1 s").wait_for()
    for _ in range(5):
        tab.clock.run_for(20_000)
        tab.wait_for_timeout(100)
    assert "Is it still running?" in failed(tab)


def test_an_answer_of_another_kind_is_no_silent_blank(tab, stub):
    tab.route(
        "**/v1/predict*", lambda route: route.fulfill(json={"model": {"name": "a", "version": "b"}, "size_hw": [5]})
    )
    choose(tab, upload())
    assert "could not be understood. The server says: size_hw has not two numbers." in failed(tab)


def test_two_at_a_time(tab, stub):
    stub.delay = 0.1
    choose(tab, *[upload(f"{number}.png") for number in range(6)])
    done(tab, 6)
    assert stub.most_running == 2
    assert [name for *_, name in stub.asked] == [f"{number}.png" for number in range(6)]


def test_a_removed_picture_is_asked_for_no_longer(tab, stub):
    stub.delay = 0.3
    choose(tab, *[upload(f"{number}.png") for number in range(5)])
    tab.get_by_role("button", name="Remove all").click()
    tab.wait_for_timeout(900)
    assert len(stub.asked) <= 2
    assert tab.locator("li").count() == 0


def test_models_are_asked_for_until_the_server_is_ready(tab, stub):
    answers = [503, 503, 200]
    row = {"name": "late", "version": "1", "ready": True}

    def answer(route):
        status = answers.pop(0)
        route.fulfill(status=status, headers={"Retry-After": "0"}, json={"models": [row]} if status == 200 else {})

    tab.route("**/v1/models", answer)
    tab.reload()
    tab.locator("header strong", has_text="late").wait_for()
    assert answers == []
