"""Past runs are listed with their files, and nothing else of the machine can be had."""

import os

from tests.serving.conftest import running


def test_reports_are_listed_and_downloaded(settings, tmp_path):
    folder = tmp_path / "reports"
    folder.mkdir()
    for number, name in enumerate(("first-20260101-010101", "second-run-20260102-020202")):
        for suffix in (".xlsx", ".html"):
            (folder / f"{name}{suffix}").write_bytes(b"content of " + suffix.encode())
            os.utime(folder / f"{name}{suffix}", (number, number))
    (folder / "README.md").touch()
    (folder / ".first-20260101-010101.xlsx.12.unfinished").touch()
    secret = tmp_path / "secret.html"
    secret.write_text("secret")
    (folder / "link.html").symlink_to(secret)
    with running(settings(reports=folder)) as service:
        listed = service.client.get("/v1/reports").json()["reports"]
        assert [(report["name"], report["recipe"]) for report in listed] == [
            ("second-run-20260102-020202", "second-run"),
            ("first-20260101-010101", "first"),
        ]
        page, workbook = listed[0]["files"]
        assert [page["kind"], workbook["kind"]] == ["html", "xlsx"]
        got = service.client.get(workbook["url"])
        assert got.content == b"content of .xlsx"
        assert got.headers["content-disposition"] == 'attachment; filename="second-run-20260102-020202.xlsx"'
        shown = service.client.get(page["url"])
        assert shown.headers["content-disposition"].startswith("inline")
        assert shown.headers["content-security-policy"].startswith("sandbox")
        assert service.client.get(page["url"] + "?download=true").headers["content-disposition"].startswith("attachment")
        for name in ("README.md", "link.html", "..%2Fsecret.html", "%2e%2e%2fsecret.html", "nothing.xlsx"):
            refused = service.client.get(f"/v1/reports/{name}")
            assert refused.status_code == 404
            assert "secret" not in refused.text.replace("secret.html", "")


def test_no_folder_is_no_report(served):
    assert served.client.get("/v1/reports").json() == {"reports": []}
