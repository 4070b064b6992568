"""Django's own Redis cache and sessions in it, and django-redis. Prints one JSON object. Argument: port."""

import json
import sys
from importlib.metadata import version

import django
from django.conf import settings

url = f"redis://127.0.0.1:{sys.argv[1]}"
settings.configure(
    ALLOWED_HOSTS=["*"],
    CACHES={
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": f"{url}/1", "TIMEOUT": 100},
        "other": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": f"{url}/2", "TIMEOUT": 100},
    },
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    INSTALLED_APPS=["django.contrib.sessions"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="not secret",
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
)
django.setup()

from django.core.cache import caches  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import path  # noqa: E402


def count(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse(str(request.session["visits"]))


def log_in(request):
    request.session.cycle_key()
    return HttpResponse("in")


def leave(request):
    request.session.flush()
    return HttpResponse("left")


urlpatterns = [path("count", count), path("in", log_in), path("leave", leave)]
found = {"version": django.__version__, "django-redis version": version("django-redis")}
for name in ("default", "other"):
    cache = caches[name]
    told = {
        "set": [cache.set("k", {"deep": [1, None]}), cache.get("k"), cache.get("none", "instead")],
        "add": [cache.add("n", 5), cache.add("n", 6), cache.incr("n"), cache.decr("n", 3), cache.get("n")],
        "many": [cache.set_many({"a": 1, "b": "zwei"}, 50), cache.get_many(["a", "b", "x"]), cache.has_key("a")],
        "touch": [cache.touch("a", 1000), cache.touch("x"), cache.get_or_set("made", lambda: "made", 10)],
        "version": [cache.incr_version("b"), cache.get("b"), cache.get("b", version=2)],
        "delete": [cache.delete("a"), cache.delete("a"), cache.delete_many(["n", "made"]), cache.get("n")],
    }
    try:
        cache.incr("none")
    except ValueError:
        told["incr of none"] = "ValueError"
    told["clear"] = [cache.clear(), cache.get("k")]
    found[name] = told

client, other = Client(), Client()
found["visits"] = [each.get("/count").content.decode() for each in (client, client, other, client)]
before = client.cookies["sessionid"].value
client.get("/in")
found["new key"] = [client.cookies["sessionid"].value != before, client.get("/count").content.decode()]
client.get("/leave")
found["after leaving"] = client.get("/count").content.decode()

cache = caches["other"]
cache.set_many({f"user:{n}": n for n in range(30)})
found["keys"] = [len(cache.keys("user:*")), len(list(cache.iter_keys("user:1*", itersize=5)))]
found["ttl"] = [90 < cache.ttl("user:1") <= 100, cache.persist("user:1"), cache.ttl("user:1"), cache.ttl("none")]
found["expire"] = [cache.expire("user:1", 50), 40 < cache.ttl("user:1") <= 50]
found["pexpire"] = [cache.pexpire("user:1", 9000), cache.pttl("user:1") <= 9000]
with cache.lock("lock", timeout=20):
    found["lock"] = cache.lock("lock").acquire(blocking=False)
found["incr"] = [
    cache.set("count", 1, 100),
    cache.incr("count", 5),
    cache.ttl("count") > 90,
    cache.incr("new", ignore_key_check=True),
]
cache.set("once", 1, nx=True)
found["nx"] = [cache.set("once", 2, nx=True), cache.get("once")]
found["sets"] = [cache.sadd("set", "a", "b"), cache.scard("set"), sorted(cache.smembers("set"))]
found["deleted"] = [cache.delete_pattern("user:*"), cache.keys("user:*")]
print(json.dumps(found))
