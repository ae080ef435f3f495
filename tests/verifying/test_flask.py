from collections.abc import Callable
from typing import ClassVar

import pytest
from flask import Blueprint, Flask, g
from flask.testing import FlaskClient
from flask.views import MethodView

from sensos_auth.model.errors import ConfigurationError, InvalidInput
from sensos_auth.verifying.flask import Authentication
from tests.verifying.issued import APPLICATION, GOOD_TOKEN, VERIFIER

GOOD = {"authorization": f"Bearer {GOOD_TOKEN}"}
UNAUTHORIZED = b'{"error":"Unauthorized","message":"Invalid or expired access token"}'


def _app(protect: Callable[[Authentication, Flask, Blueprint], None]) -> FlaskClient:
    app = Flask(__name__, root_path="/usr/share", static_folder=".")
    fleet = Blueprint("fleet", __name__, url_prefix="/fleet")
    authentication = Authentication(VERIFIER)

    @app.get("/health")
    def health() -> str:
        return f"open to {g.get('caller')}"

    @app.get("/guarded")
    @authentication.require()
    def guarded() -> str:
        return str(g.caller.application_id)

    @app.route("/scoped", methods=["GET", "POST", "OPTIONS"])
    @authentication.require("devices:read")
    async def scoped() -> str:
        return str(g.caller.application_id)

    @app.get("/admin")
    @authentication.require("devices:read admin")
    def admin() -> str:
        raise AssertionError

    class ClassBased(MethodView):
        decorators: ClassVar = [authentication.require()]
        provide_automatic_options = False

        def get(self) -> str:
            return str(g.caller.application_id)

    app.add_url_rule("/class-based", view_func=ClassBased.as_view("class_based"))

    @fleet.get("/x")
    def of_the_blueprint() -> str:
        return str(g.caller.application_id)

    protect(authentication, app, fleet)
    app.register_blueprint(fleet)
    return app.test_client()


@pytest.fixture
def views_only() -> FlaskClient:
    """Return a client of an application that closes single views."""
    return _app(lambda *_: None)


def test_decorated_views_need_a_token(views_only: FlaskClient) -> None:
    """Each decorated view is closed, and nothing else is."""
    for path in ("/guarded", "/admin"):
        assert views_only.get(path).data == UNAUTHORIZED
    assert views_only.get("/guarded", headers=GOOD).text == APPLICATION
    assert views_only.get("/health").text == "open to None"


def test_scopes_are_demanded(views_only: FlaskClient) -> None:
    """403 by the contract."""
    answer = views_only.get("/admin", headers=GOOD)
    assert answer.status_code == 403
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="devices:read admin"'
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/guarded", "/scoped", "/class-based"])
def test_g14_options_of_a_decorated_view_needs_a_token(views_only: FlaskClient, path: str) -> None:
    """Flask answers OPTIONS without asking the view; not so for a closed one. With a token it answers as ever."""
    assert views_only.options(path).data == UNAUTHORIZED
    answer = views_only.options(path, headers=GOOD)
    assert answer.status_code == 200
    assert "OPTIONS" in answer.headers["Allow"]
    assert views_only.head(path).status_code == 401


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PURGE"])
@pytest.mark.parametrize("path", ["/guarded", "/fleet/x", "/nothing", "/static/common-licenses/GPL-3", "/./guarded"])
def test_g15_a_protected_application_is_closed(method: str, path: str) -> None:
    """Views, blueprints, static files and what does not exist."""
    client = _app(lambda authentication, app, _: authentication.protect(app))
    assert client.open(path, method=method).status_code == 401
    assert client.open(path, method=method, headers=GOOD).status_code in {200, 404, 405}


def test_named_endpoints_stay_open() -> None:
    """By the endpoint's name, and only that endpoint."""
    client = _app(lambda authentication, app, _: authentication.protect(app, open_endpoints=["health"]))
    assert client.get("/health").text == "open to None"
    assert client.get("/health/").status_code == 401
    assert client.get("/guarded").status_code == 401


def test_open_endpoints_are_a_list_of_names() -> None:
    """A single text would open every endpoint whose name is a part of it."""
    with pytest.raises(ConfigurationError):
        Authentication(VERIFIER).protect(Flask(__name__), open_endpoints="health")


def test_open_endpoint_inherits_no_caller() -> None:
    """Also where an application context is around all requests, which then share flask.g."""
    client = _app(lambda authentication, app, _: authentication.protect(app, open_endpoints=["health"]))
    with client.application.app_context():
        assert client.get("/guarded", headers=GOOD).text == APPLICATION
        assert client.get("/health").text == "open to None"


def test_a_blueprint_is_closed_alone() -> None:
    """Its views need a token, and give the caller; the application's own do as they did."""
    client = _app(lambda authentication, _, fleet: authentication.protect(fleet))
    assert client.get("/fleet/x").data == UNAUTHORIZED
    assert client.options("/fleet/x").data == UNAUTHORIZED
    assert client.get("/fleet/x", headers=GOOD).text == APPLICATION
    assert client.get("/health").text == "open to None"


def test_scope_must_be_one() -> None:
    """A misspelt scope is found when the application starts."""
    with pytest.raises(InvalidInput):
        Authentication(VERIFIER).require('a"b')
