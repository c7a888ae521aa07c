"""The watch of the other tests itself: it sees what it is there to see."""

from tests.web.conftest import WATCH


def test_requests_to_other_hosts_are_blocked_and_violations_are_seen(visit, stub):
    tab = visit(stub.address)
    assert "securitypolicyviolation" in WATCH
    tab.evaluate(
        "() => { const image = new Image(); image.src = 'http://192.0.2.1/a.png'; document.body.append(image); }"
    )
    tab.evaluate("() => { document.body.setAttribute('onclick', 'window.fired = 1'); document.body.click(); }")
    tab.wait_for_timeout(100)
    seen = tab.evaluate("window.violations.splice(0)")
    assert any("img-src" in each for each in seen) and any("script-src" in each for each in seen), seen
    assert tab.evaluate("window.fired") == 0
