"""The files of a hub, as they are written: ``hub`` puts the courses into them."""

from __future__ import annotations

import json
from typing import NamedTuple


class HubFile(NamedTuple):
    """A file that is written: its name, and its text."""

    name: str
    text: str


def python_text(value: object) -> str:
    """Text, whole numbers, lists and mappings as they are written in Python, which is as in JSON."""
    return json.dumps(value, indent=4, ensure_ascii=False)


HUB = HubFile(
    "jupyterhub_config.py",
    '''\
"""The courses of this JupyterHub, as `autograder hub` wrote them.

How people sign in is not said here: JupyterHub asks PAM, unless you say otherwise. What is yours goes into a
configuration of its own, which takes this one along: load_subconfig("/path/to/this/jupyterhub_config.py").
"""

PYTHON = ""

COURSES = {}

c = get_config()  # noqa: F821 - JupyterHub gives it

for name, course in COURSES.items():
    graders, students = f"formgrade-{name}", f"nbgrader-{name}"
    people = {*course["graders"], *course["students"]}
    c.Authenticator.allowed_users.update(people)
    # Nobody signs in as the account, whatever they are called elsewhere.
    c.Authenticator.blocked_users.update({course["account"]})
    # nbgrader finds out by these names who takes a course and who grades it.
    c.JupyterHub.load_groups.update({graders: {"users": course["graders"]}, students: {"users": course["students"]}})
    c.JupyterHub.services.extend(
        [
            {
                "name": name,
                "url": f"http://127.0.0.1:{course['port']}",
                # As the account that keeps the course. The page opens in a tab of its own: in JupyterLab it would be a
                # frame, which JupyterHub forbids.
                "command": [PYTHON, "-m", "jupyterhub.singleuser", f"--ServerApp.root_dir={course['folder']}"],
                "environment": {"JUPYTERHUB_DEFAULT_URL": "/formgrader"},
                "user": course["account"],
                "cwd": course["folder"],
                "timeout": 180,  # seconds; the hub ends with a service that takes longer to start
                "oauth_no_confirm": True,
            }
        ]
    )
    slug = course["account"].removeprefix("grader-")
    c.JupyterHub.load_roles.extend(
        [
            {
                "name": f"formgrade-{slug}",
                "groups": [graders],
                "scopes": [f"access:services!service={name}", "list:services", f"read:services!service={name}"],
            }
        ]
    )

# nbgrader asks the hub, as the server of whoever sits there, which courses they have.
c.Spawner.server_token_scopes = ["users:activity!user", "access:servers!server", "read:users!user"]
''',
)

PEOPLES_SETTINGS = HubFile(
    "nbgrader_config.py",
    '''\
"""nbgrader for everybody on this hub, in /etc/jupyter. Written by `autograder hub`.

No course is named here: each lies in a folder of its own, in students' homes as in the exchange.
"""

c = get_config()  # noqa: F821 - nbgrader gives it
c.Exchange.root = 'EXCHANGE'
c.Exchange.path_includes_course = True
c.Authenticator.plugin_class = "nbgrader.auth.JupyterHubAuthPlugin"
''',
)

PEOPLES_SERVER = HubFile(
    "jupyter_server_config.py",
    '''\
"""Which parts of nbgrader everybody's server on this hub has, in /etc/jupyter. Written by `autograder hub`."""

c = get_config()  # noqa: F821 - Jupyter gives it
c.ServerApp.jpserver_extensions = {
    "nbgrader.server_extensions.assignment_list": True,
    "nbgrader.server_extensions.validate_assignment": True,
    "nbgrader.server_extensions.formgrader": False,
    "nbgrader.server_extensions.course_list": False,
}
''',
)

PEOPLES_PAGE = HubFile(
    "labconfig/page_config.json",
    """\
{
  "disabledExtensions": {
    "@jupyter/nbgrader:formgrader": true,
    "@jupyter/nbgrader:course-list": true,
    "@jupyter/nbgrader:create-assignment": true
  }
}
""",
)

GRADERS_SETTINGS = HubFile(
    "nbgrader_config.py",
    '''\
"""nbgrader for the account that keeps this course, in its ~/.jupyter. Written by `autograder hub`.

All else is the course's own configuration, so that nbgrader finds the course from every folder.
"""

c = get_config()  # noqa: F821 - nbgrader gives it
c.Authenticator.plugin_class = "nbgrader.auth.NoAuthPlugin"  # the account is nobody of the hub's, and asks it nothing
load_subconfig('COURSE')  # noqa: F821 - likewise
''',
)

GRADERS_SERVER = HubFile(
    "jupyter_server_config.py",
    '''\
"""Which parts of nbgrader the formgrader's service has, in its account's ~/.jupyter. Written by `autograder hub`."""

c = get_config()  # noqa: F821 - Jupyter gives it
c.ServerApp.jpserver_extensions = {
    "nbgrader.server_extensions.assignment_list": False,
    "nbgrader.server_extensions.validate_assignment": True,
    "nbgrader.server_extensions.formgrader": True,
    "nbgrader.server_extensions.course_list": False,
}
''',
)

GRADERS_PAGE = HubFile(
    "labconfig/page_config.json",
    """\
{
  "disabledExtensions": {
    "@jupyter/nbgrader:assignment-list": true,
    "@jupyter/nbgrader:create-assignment": false
  }
}
""",
)

APPLY = HubFile(
    "apply.sh",
    """\
#!/bin/sh
# Puts what lies here in its place, as root. Written by `autograder hub`: read it first. It can be run again.
set -eu
cd "$(dirname "$0")"
no_links() {
    for each; do
        if [ -L "$each" ]; then echo "$each is a link, and somebody may have put it there: remove it" >&2; exit 1; fi
    done
}

# nbgrader for everybody; what was there before is kept as FILE.~1~
install -d -m 0755 /etc/jupyter /etc/jupyter/labconfig
install -m 0644 -C --backup=numbered jupyter/nbgrader_config.py /etc/jupyter/nbgrader_config.py
install -m 0644 -C --backup=numbered jupyter/jupyter_server_config.py /etc/jupyter/jupyter_server_config.py
install -m 0644 -C --backup=numbered jupyter/labconfig/page_config.json /etc/jupyter/labconfig/page_config.json

# the hub's own file, which names who takes a course
install -d -m 0755 /etc/jupyterhub
install -m 0600 -C --backup=numbered jupyterhub_config.py /etc/jupyterhub/jupyterhub_config.py

# the exchange: everybody puts into it, and nobody removes what is another's
""",
)

README = HubFile(
    "README.md",
    """\
# Courses on a JupyterHub

Written by `autograder hub`. Nothing of it is in its place yet.

| course | folder | its account | its service | listens on | graders | students |
| --- | --- | --- | --- | --- | --- | --- |
COURSES

1. Read `apply.sh`. As root it makes the accounts, gives each its course's folder (mode 2770), makes the exchange, and
   copies what lies here: `jupyter/` to `/etc/jupyter`, each account's folder to its `~/.jupyter`, and
   `jupyterhub_config.py` to `/etc/jupyterhub`. Then run it: `sh apply.sh`.
2. Start the hub with that configuration: `jupyterhub -f /etc/jupyterhub/jupyterhub_config.py`. One that runs already
   takes it along by `load_subconfig("/etc/jupyterhub/jupyterhub_config.py")` in a configuration of its own.
3. As each course's account, in its folder, look who can get at it: `autograder doctor`. It has to end with 0.
4. As the same account, let `autograder watch ASSIGNMENT` run, for each assignment that is open.

Homes of students are closed (`chmod 700`), or others read the work in them. An account that grades is no student of the
same course.
""",
)
