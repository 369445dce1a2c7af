//! Issues on GitHub: against GitHub's own description of its API, and against what goes wrong there.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use kcluster_tests::{Fault, GitHub, Kcluster, Output, Prism, judged_history, prism_tools, search};
use serde_json::{Value, json};

/// No text of ours and no text of GitHub's holds it by chance.
const TOKEN: &str = "tok-5e6d0c1bNobodyMaySeeThis";

/// Whose issues they are, in all tests.
const REPOSITORY: &str = "kcluster/kcluster";

/// A search that was really made, once for all tests: it is only read.
fn searched() -> &'static (PathBuf, String, String) {
    static SEARCH: OnceLock<(PathBuf, String, String)> = OnceLock::new();
    SEARCH.get_or_init(|| {
        // What is static is never dropped, so a folder of its own would stay.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("searched");
        if folder.exists() {
            fs_err::remove_dir_all(&folder).unwrap();
        }
        fs_err::create_dir_all(&folder).unwrap();
        let (history, judge) = judged_history(&folder).unwrap();
        let kcluster = Kcluster::new().unwrap();
        let (dir, judge) = (folder.join("search"), judge.to_str().unwrap());
        let more = ["--dir", dir.to_str().unwrap(), "--no-cluster", "--", judge];
        let begin = search(&history.path, (&history.good, "main"), &more).unwrap();
        kcluster.run(&begin).unwrap().expect_code(0).unwrap();
        (folder, history.culprit, history.bad)
    })
}

/// A kcluster that talks to what stands for GitHub.
struct Stage {
    kcluster: Kcluster,
    days: Vec<Value>,
}

impl Stage {
    /// With the search's result where a nightly keeps it.
    fn new() -> Self {
        let (folder, ..) = searched();
        let kcluster = Kcluster::new().unwrap();
        let found = kcluster.state().join("found");
        fs_err::create_dir(&found).unwrap();
        fs_err::copy(folder.join("search/result.json"), found.join("1.json")).unwrap();
        let mut stage = Self {
            kcluster,
            days: Vec::new(),
        };
        stage.day("r1", &[]);
        stage
    }

    /// Stores the results of one more day.
    fn day(&mut self, revision: &str, failed: &[&str]) {
        let text = fs_err::read_to_string(self.kcluster.state().join("found/1.json")).unwrap();
        let found: Value = serde_json::from_str(&text).unwrap();
        let at = format!("2026-11-{:02}T01:17:00Z", self.days.len() + 1);
        self.days.push(json!({
            "at": at, "cell": found["cell"], "revision": revision, "failed": failed, "flaky": [],
            "totals": { "passed": 3, "failed": failed.len(), "errored": 0, "skipped": 0, "flaky": 0 },
            "took": { "secs": 9, "nanos": 0 },
        }));
        let lines: String = self.days.iter().map(|day| format!("{day}\n")).collect();
        fs_err::write(self.kcluster.state().join("days.jsonl"), lines).unwrap();
    }

    /// The day at which the search's bad end was seen.
    fn red(&mut self) {
        let (.., bad) = searched();
        self.day(bad, &["a spec that is broken"]);
    }

    fn command(&self, url: &str, args: &[&str]) -> Command {
        let mut command = self.kcluster.command(args);
        command
            .env("GITHUB_API_URL", url)
            .env("GITHUB_REPOSITORY", REPOSITORY)
            .env("GITHUB_TOKEN", TOKEN)
            // All that any library has to say.
            .env("KCLUSTER_LOG", "trace");
        command
    }

    /// Runs a command to its end; whatever it says, the token is not in it.
    fn finish(&self, mut command: Command) -> Output {
        let start = std::time::Instant::now();
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let output = Output {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            took: start.elapsed(),
        };
        for said in [&output.stdout, &output.stderr] {
            assert!(!said.contains(TOKEN), "the token is shown:\n{said}");
        }
        let files = Command::new("grep")
            .args(["--recursive", "--files-with-matches", TOKEN])
            .arg(self.kcluster.state())
            .output()
            .unwrap();
        assert!(
            files.stdout.is_empty(),
            "the token is in {}",
            text(files.stdout)
        );
        output
    }

    /// What a night does.
    fn issues(&self, url: &str, more: &[&str]) -> Output {
        let args = [&["trend", "issues", "days.jsonl", "--found", "found"], more].concat();
        self.finish(self.command(url, &args))
    }

    fn settled(&self, url: &str) -> String {
        self.issues(url, &[]).expect_code(0).unwrap().stdout
    }
}

#[test]
fn githubs_own_description_accepts_what_is_sent() {
    let test = "githubs_own_description_accepts_what_is_sent";
    let Some(tools) = prism_tools(test) else {
        return;
    };
    let mut stage = Stage::new();
    let github = GitHub::start().unwrap();
    let prism = Prism::before(&tools, stage.kcluster.state(), github.url()).unwrap();
    what_is_wrong_is_refused(&prism, &github);

    let url = prism.url();
    stage.red();
    let opened = stage.settled(&url);
    assert!(
        opened.starts_with("opened #1: https://github.com/"),
        "{opened}"
    );
    let (_, culprit, _) = searched();
    let issue = &github.issues()[0];
    assert!(
        issue["title"].as_str().unwrap().contains(&culprit[..12]),
        "{issue}"
    );
    let body = issue["body"].as_str().unwrap();
    for part in [
        culprit.as_str(),
        "reproduce:** `cargo kcluster bisect --good",
        "### Evidence",
        "a spec that is broken",
    ] {
        assert!(body.contains(part), "{part} is not in\n{body}");
    }
    assert_eq!(stage.settled(&url), "nothing to do\n");

    github.age(1);
    stage.day("r3", &["a spec that is broken"]);
    assert_eq!(stage.settled(&url), "brought #1 up to date\n");
    assert!(
        github.issues()[0]["body"]
            .as_str()
            .unwrap()
            .contains("at `r3`")
    );

    stage.day("r4", &[]);
    assert_eq!(stage.settled(&url), "closed #1: green again\n");
    let issue = &github.issues()[0];
    assert_eq!(
        (&issue["state"], &issue["state_reason"]),
        (&json!("closed"), &json!("completed"))
    );
    assert_eq!(github.comments(1).len(), 1);
    assert_eq!(stage.settled(&url), "nothing to do\n");

    // A later search finds the same commit: the same issue.
    let found = stage.kcluster.state().join("found");
    let again = fs_err::read_to_string(found.join("1.json")).unwrap();
    let mut again: Value = serde_json::from_str(&again).unwrap();
    again["bad"] = json!("r5");
    again["begun"] = json!("2030-01-01T00:00:00Z");
    fs_err::write(found.join("2.json"), again.to_string()).unwrap();
    stage.day("r5", &["a spec that is broken"]);
    assert_eq!(stage.settled(&url), "opened #1 again\n");
    assert_eq!(github.issues()[0]["state"], "open");
    assert_eq!(github.comments(1).len(), 2);
    assert_eq!(github.issues().len(), 1);

    // By hand, right after a search.
    let (folder, ..) = searched();
    let search = folder.join("search");
    let args = ["bisect", "issue", "--dir", search.to_str().unwrap()];
    let output = stage
        .finish(stage.command(&url, &args))
        .expect_code(0)
        .unwrap();
    assert_eq!(output.stdout, "brought #1 up to date\n");

    // Prism by itself, whose answers are the description's own examples: there is no issue of ours among them.
    let prism = Prism::mock(&tools, stage.kcluster.state()).unwrap();
    let opened = stage.settled(&prism.url());
    assert!(
        opened.starts_with("opened #1347: https://github.com/octocat"),
        "{opened}"
    );
}

/// That Prism says yes means something only if it says no.
fn what_is_wrong_is_refused(prism: &Prism, github: &GitHub) {
    let issues = "/repos/kcluster/kcluster/issues";
    for (method, path, body) in [
        ("POST", "", json!({ "body": "without a title" })),
        ("POST", "", json!({ "title": "t", "labels": "one" })),
        ("PATCH", "/1", json!({ "state": "shut" })),
        ("PATCH", "/1", json!({ "state_reason": "because" })),
        ("POST", "/1/comments", json!({ "text": "no body" })),
        ("GET", "?state=everything", Value::Null),
    ] {
        let body = (!body.is_null()).then_some(&body);
        let (status, answer) = prism
            .send(method, &format!("{issues}{path}"), body)
            .unwrap();
        assert_eq!(status, 422, "{method} {path} {body:?}: {answer}");
    }
    let (status, _) = prism
        .send("GET", "/repos/kcluster/kcluster/isues", None)
        .unwrap();
    assert_eq!(status, 404);
    assert!(github.asked().is_empty(), "what was refused went on");
    // The other side too: a stand-in that is not like GitHub would prove nothing.
    let half = json!([{ "number": 1 }]).to_string();
    github.fail([Fault::Answer {
        status: 200,
        headers: Vec::new(),
        body: half,
    }]);
    let (status, answer) = prism.send("GET", issues, None).unwrap();
    assert_eq!(status, 500, "{answer}");
    let _ = github.asked();
}

#[test]
fn a_dry_run_prints_what_would_be_sent_and_sends_nothing() {
    let mut stage = Stage::new();
    let github = GitHub::start().unwrap();
    stage.red();
    let dry = stage
        .issues(github.url(), &["--dry-run"])
        .expect_code(0)
        .unwrap()
        .stdout;
    let (head, json) = dry.split_once('\n').unwrap();
    assert_eq!(head, "POST /repos/kcluster/kcluster/issues");
    let printed: Value = serde_json::from_str(json).unwrap();
    assert!(github.asked().iter().all(|asked| asked.method == "GET"));
    stage.settled(github.url());
    let sent = github
        .asked()
        .into_iter()
        .find(|asked| asked.method == "POST")
        .unwrap();
    assert_eq!(sent.body, printed);
    assert_eq!(sent.authorization, format!("Bearer {TOKEN}"));

    // Without a token, nobody is asked.
    let mut command = stage.command(
        github.url(),
        &[
            "trend",
            "issues",
            "days.jsonl",
            "--found",
            "found",
            "--dry-run",
        ],
    );
    command.env_remove("GITHUB_TOKEN");
    let output = stage.finish(command).expect_code(0).unwrap();
    assert!(
        output.stdout.starts_with(head) && output.stderr.contains("nobody was asked"),
        "{}",
        output.stderr
    );
    let mut command = stage.command(github.url(), &["trend", "issues", "days.jsonl"]);
    command.env_remove("GITHUB_TOKEN");
    let output = stage.finish(command).expect_code(2).unwrap();
    assert!(output.stderr.contains("GITHUB_TOKEN"), "{}", output.stderr);
    assert!(github.asked().is_empty());
}

#[test]
fn limits_are_waited_for_and_refusals_are_told() {
    let mut stage = Stage::new();
    stage.red();
    let github = GitHub::start().unwrap();
    let issues = |faults: Vec<Fault>| {
        github.fail(faults);
        let output = stage.issues(github.url(), &[]);
        eprintln!(
            "{} after {:.1} s",
            output.stdout.trim(),
            output.took.as_secs_f64()
        );
        output
    };

    // A server that repeats what it was given.
    let nasty =
        Fault::answer(401, &format!("Bad credentials: Bearer {TOKEN}")).with("x-seen", TOKEN);
    let output = issues(vec![nasty]).expect_code(2).unwrap();
    assert!(
        output.stderr.contains("401 Bad credentials: Bearer ***"),
        "{}",
        output.stderr
    );
    assert!(
        output.stderr.contains("help: set GITHUB_TOKEN"),
        "{}",
        output.stderr
    );
    assert_eq!(
        github.asked().len(),
        1,
        "a refusal is not asked about again"
    );

    let output = issues(vec![Fault::answer(
        403,
        "Resource not accessible by integration",
    )])
    .expect_code(2)
    .unwrap();
    assert!(
        output.stderr.contains("allowed to write issues"),
        "{}",
        output.stderr
    );
    assert_eq!(github.asked().len(), 1);

    let now = jiff::Timestamp::now().as_second();
    let limit = |reset: i64| {
        let fault = Fault::answer(403, "API rate limit exceeded");
        fault
            .with("x-ratelimit-remaining", "0")
            .with("x-ratelimit-reset", reset.to_string())
    };
    let output = issues(vec![limit(now + 7200)]).expect_code(1).unwrap();
    assert!(
        output.stderr.contains("rate limit lasts 12"),
        "{}",
        output.stderr
    );
    assert!(output.took < Duration::from_secs(20), "{:?}", output.took);

    // One to list, one to open: both limited.
    let now = jiff::Timestamp::now().as_second();
    let secondary =
        Fault::answer(429, "You have exceeded a secondary rate limit").with("retry-after", "2");
    let _ = github.asked();
    let output = issues(vec![limit(now + 2), secondary])
        .expect_code(0)
        .unwrap();
    assert!(output.stdout.starts_with("opened #1"), "{}", output.stdout);
    assert!(output.took >= Duration::from_secs(4), "{:?}", output.took);
    assert_eq!(github.asked().len(), 4);
    assert_eq!(github.issues().len(), 1);
}

#[test]
fn what_may_have_been_done_is_looked_for_before_it_is_done_again() {
    for fault in [Fault::DoneBut502, Fault::DoneButCutOff] {
        let mut stage = Stage::new();
        stage.red();
        let github = GitHub::start().unwrap();
        let nothing = || Fault::answer(200, "").body("[]");
        // The list, cut off and then right; the issue, which is made although the answer does not come.
        github.fail([Fault::CutOff, nothing(), fault.clone()]);
        let said = stage.settled(github.url());
        assert!(
            said.starts_with("opened an issue about"),
            "{fault:?}: {said}"
        );
        assert_eq!(github.issues().len(), 1, "{fault:?}");

        // Closing: the change, then what is said about it.
        stage.day("r3", &[]);
        let listed = json!(github.issues()).to_string();
        github.fail([
            Fault::answer(200, "").body(&listed),
            fault.clone(),
            Fault::answer(200, "").body("{}"),
            fault.clone(),
        ]);
        assert_eq!(stage.settled(github.url()), "closed #1: green again\n");
        assert_eq!(github.comments(1).len(), 1, "{fault:?}");
        assert_eq!(github.issues()[0]["state"], "closed");
    }
    // Not done, and it is said so: once more.
    let mut stage = Stage::new();
    stage.red();
    let github = GitHub::start().unwrap();
    github.fail([
        Fault::answer(200, "").body("[]"),
        Fault::answer(502, "Bad Gateway"),
    ]);
    assert!(stage.settled(github.url()).starts_with("opened #1"));
    assert_eq!(github.issues().len(), 1);

    // It stays down.
    let mut stage = Stage::new();
    stage.red();
    let github = GitHub::start().unwrap();
    github.fail((0..9).map(|_| Fault::answer(503, "down")));
    let output = stage.issues(github.url(), &[]).expect_code(1).unwrap();
    assert!(output.stderr.contains("503 down"), "{}", output.stderr);
    assert_eq!(github.asked().len(), 5);
}

#[test]
fn strangers_issues_are_left_alone() {
    let mut stage = Stage::new();
    stage.red();
    let github = GitHub::start().unwrap();
    stage.settled(github.url());
    let ours = github.issues()[0]["body"].as_str().unwrap().to_owned();
    let other = GitHub::start().unwrap();
    // The same text, but not the label that only those who may write can set.
    other.write(&ours, &["bug"]);
    for _ in 0..120 {
        other.write("nothing of ours", &["kcluster-bisect"]);
    }
    let said = stage.settled(other.url());
    assert!(said.starts_with("opened #122"), "{said}");
    assert_eq!(
        other
            .asked()
            .iter()
            .filter(|asked| asked.method == "GET")
            .count(),
        2,
        "two pages"
    );
}
