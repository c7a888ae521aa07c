"""A real browser against the built page. Left out, with the reason, where one of the two is missing."""

import re
import shutil

import pytest

collect_ignore = ["stub.py"]  # it needs the extra [server], which those who collect doctests may lack

CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--force-color-profile=srgb",
]  # fmt: skip
NO_BROWSER = "no chromium on this machine: the tests of the page in a browser are left out (install Debian's chromium)"
NO_SERVER = "the tests of the page need the extra [server]"

# In the page before its own scripts: violations of the content security policy are kept, and so is any dialog.
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
    window.violations.push(event.violatedDirective + " " + event.blockedURI));
window.fired = 0;
"""


@pytest.fixture(scope="session")
def built():
    pytest.importorskip("fastapi", reason=NO_SERVER)
    pytest.importorskip("uvicorn", reason=NO_SERVER)
    from limner.server.routes import page as page_route

    if not (page_route.STATIC / "index.html").is_file():
        pytest.skip(f"the page is not built, its tests are left out; build it: {page_route.BUILD}")


@pytest.fixture(scope="package")  # no longer: while playwright runs, other tests in this thread could not use asyncio
def browser(built):
    playwright = pytest.importorskip("playwright.sync_api", reason="the browser is driven by the package playwright")
    if CHROMIUM is None:
        pytest.skip(NO_BROWSER)
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def stub(built):
    from tests.web.stub import Stub, application, serving

    stub = Stub()
    with serving(application(stub)) as address:
        stub.address = address
        yield stub


@pytest.fixture
def visit(browser):
    """``visit(address, **options)`` opens a page; at the end of the test it must have kept to its server and its policy."""
    contexts, outside, problems = [], [], []

    def open_page(address, **options):
        context = browser.new_context(accept_downloads=True, **{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        context.add_init_script(WATCH)
        tab = context.new_page()
        tab.set_default_timeout(15_000)

        def gate(route):
            outside.append(route.request.url)
            route.abort()

        context.route(re.compile(rf"^(?!{re.escape(address)}/|blob:|data:)"), gate)
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on("dialog", lambda dialog: (problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        tab.goto(address)
        return tab

    yield open_page
    for context in contexts:
        for tab in context.pages:
            problems += tab.evaluate("window.violations ?? []")
            if tab.evaluate("window.fired ?? 0"):
                problems.append("a text was run as a program")
        context.close()
    assert outside == []
    assert problems == []


@pytest.fixture
def tab(visit, stub):
    return visit(stub.address)
