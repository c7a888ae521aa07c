"""The live mode: a camera that the browser makes up, and a video file."""

from tests.web.drive import until

# Records a moving red square as WebM in the browser itself, so that no video has to be kept here.
RECORD = """async () => {
    const canvas = document.createElement("canvas"); canvas.width = 160; canvas.height = 90;
    const context = canvas.getContext("2d");
    const stream = canvas.captureStream(20); const parts = [];
    const recorder = new MediaRecorder(stream, { mimeType: "video/webm;codecs=vp8" });
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const ended = new Promise((go) => (recorder.onstop = go));
    recorder.start();
    for (let frame = 0; frame < 16; frame++) {
        context.fillStyle = "rgb(40, 40, 44)"; context.fillRect(0, 0, 160, 90);
        context.fillStyle = "rgb(230, 20, 20)"; context.fillRect(4 * frame, 20, 40, 40);
        await new Promise((go) => setTimeout(go, 50));
    }
    recorder.stop(); await ended;
    window.film = new File(parts, "film.webm", { type: "video/webm" });
    return window.film.size;
}"""
DROP = """() => { const dropped = new DataTransfer(); dropped.items.add(window.film);
    window.dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, cancelable: true })); }"""


def frames(stub):
    return [name for *_, name in stub.asked if name == "frame.jpg"]


def test_the_camera_is_segmented_one_frame_at_a_time(tab, stub):
    stub.delay = 0.03
    tab.get_by_role("button", name="Use the camera").click()
    tab.locator(".speed").wait_for()
    until(lambda: len(frames(stub)) > 8 and "frames per second" in tab.locator(".speed").inner_text())
    assert stub.most_running == 1
    assert "640 x 360" in tab.locator(".speed").inner_text()
    assert float(tab.locator(".speed").get_attribute("data-fps")) > 1
    assert tab.locator("tbody tr").count() == 3
    tab.get_by_label("Width of the frames").select_option("320")
    until(lambda: "320 x 180" in tab.locator(".speed").inner_text())
    tab.get_by_role("button", name="Stop").press("Enter")
    until(lambda: tab.locator(".speed").count() == 0)
    before = len(stub.asked)
    tab.wait_for_timeout(300)
    assert len(stub.asked) <= before + 1


def test_a_video_file_is_played_and_ends(tab, stub):
    assert tab.evaluate(RECORD) > 1000
    tab.evaluate(DROP)
    tab.locator(".speed").wait_for()
    assert "160 x 90" in tab.locator(".speed").inner_text()
    until(lambda: tab.locator("tbody tr").nth(1).locator("td").first.inner_text() != "0")
    tab.get_by_text("The video has ended.").first.wait_for()
    assert len(frames(stub)) >= 2
    assert tab.locator("canvas.stage").is_visible()


def test_a_busy_server_slows_the_live_mode_and_does_not_end_it(tab, stub):
    stub.refusals = [(429, "full", {"Retry-After": "0"})] * 2
    tab.get_by_role("button", name="Use the camera").click()
    tab.locator(".speed").wait_for()
    assert len(stub.asked) >= 3


def test_a_refusal_for_good_ends_it_in_words(tab, stub):
    stub.refusals = [(413, "at most 5 bytes", {})] * 3
    tab.get_by_role("button", name="Use the camera").click()
    tab.locator(".panel.middle .note", has_text="at most 5 bytes").wait_for()
    tab.wait_for_timeout(200)
    assert len(stub.asked) == 1


def test_a_file_that_is_no_video_is_said_so(tab, stub):
    tab.evaluate("window.film = new File([new Uint8Array(500)], 'film.webm', { type: 'video/webm' })")
    tab.evaluate(DROP)
    tab.locator(".note", has_text="This browser cannot play this video.").wait_for()


def test_a_camera_that_is_refused_is_said_so(visit, stub):
    tab = visit(stub.address)
    refuse = "() => Promise.reject(new DOMException('no', 'NotAllowedError'))"
    tab.evaluate(f"() => {{ navigator.mediaDevices.getUserMedia = {refuse}; }}")
    tab.get_by_role("button", name="Use the camera").click()
    tab.locator(".note", has_text="The camera was not given to this page: no").wait_for()
