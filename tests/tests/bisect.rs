//! The search for the first bad commit by a command: killed and resumed, and replayed by git. With real builds and
//! clusters it is in `bisect_real.rs`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and tells its timings"
)]

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use kcluster_tests::{History, Kcluster, Output, judged_history, search};

struct Stage {
    kcluster: Kcluster,
    history: History,
    judge: String,
}

impl Stage {
    fn new() -> Self {
        let kcluster = Kcluster::new().unwrap();
        let (history, judge) = judged_history(kcluster.state()).unwrap();
        Self {
            judge: judge.display().to_string(),
            kcluster,
            history,
        }
    }

    fn begin<'a>(&'a self, dir: &'a str) -> Vec<&'a str> {
        let more = ["--dir", dir, "--no-cluster", "--", &self.judge];
        search(&self.history.path, (&self.history.good, "main"), &more).unwrap()
    }

    /// Runs a command to its end, which must be of that code.
    fn run(&self, args: &[&str], code: i32) -> Output {
        self.kcluster.run(args).unwrap().expect_code(code).unwrap()
    }

    /// Points that the judge was asked about, in order.
    fn asked(&self) -> Vec<String> {
        let text = fs_err::read_to_string(self.kcluster.state().join("asked")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn json(&self, file: &str) -> serde_json::Value {
        serde_json::from_str(&fs_err::read_to_string(self.kcluster.state().join(file)).unwrap())
            .unwrap()
    }
}

#[test]
fn a_search_killed_at_random_moments_gives_the_same_answer_and_repeats_nothing() {
    let stage = Stage::new();
    let mut child = stage.kcluster.spawn(&stage.begin("search")).unwrap();
    let mut seed = u64::from(std::process::id());
    let mut recorded = BTreeSet::new();
    let mut kills = 0;
    while kills < 5 {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let moment = Instant::now() + Duration::from_millis(150 + (seed >> 33) % 700);
        while Instant::now() < moment && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        let asked_before = stage.asked().len();
        let file = stage.kcluster.state().join("search/bisect.json");
        if !file.exists() {
            // Killed before the search was written down: there is nothing to resume.
            child = stage.kcluster.spawn(&stage.begin("search")).unwrap();
            continue;
        }
        let saved = stage.json("search/bisect.json");
        let records = saved["search"]["records"].as_array().unwrap().clone();
        recorded.extend(
            records
                .iter()
                .map(|record| record["point"].as_str().unwrap().to_owned()),
        );
        child = stage
            .kcluster
            .spawn(&["bisect", "resume", "--dir", "search"])
            .unwrap();
        let again = |point: &String| recorded.contains(point);
        assert!(
            !stage.asked()[asked_before..].iter().any(again),
            "recorded work was repeated"
        );
    }
    let status = child.wait().unwrap();
    let log = fs_err::read_to_string(stage.kcluster.state().join("spawned.log")).unwrap();
    assert!(status.success(), "{log}");
    assert!(kills >= 3, "only {kills} kills: it was over too soon");
    let result = stage.json("search/result.json");
    assert_eq!(
        result["culprit"]["id"],
        stage.history.culprit.as_str(),
        "{log}"
    );

    // All that was asked twice was cut off by a kill.
    let asked = stage.asked();
    let points: BTreeSet<&String> = asked.iter().collect();
    assert!(asked.len() <= points.len() + kills, "{asked:?}");
    eprintln!(
        "{kills} kills, {} points asked about, {} times",
        points.len(),
        asked.len()
    );

    the_same_answer_comes_from_a_search_that_was_left_alone(&stage);
    git_takes_the_log(&stage);
}

fn the_same_answer_comes_from_a_search_that_was_left_alone(stage: &Stage) {
    let before = stage.asked().len();
    let output = stage.run(&stage.begin("alone"), 0);
    let result = stage.json("alone/result.json");
    assert_eq!(result["culprit"]["id"], stage.history.culprit.as_str());
    assert!(
        output.stdout.contains(&stage.history.culprit[..12]),
        "{}",
        output.stdout
    );
    let told = result["points"].as_array().unwrap();
    let skipped: Vec<&str> = told
        .iter()
        .filter(|point| point["answer"] == "cannot-tell")
        .map(|point| point["note"].as_str().unwrap())
        .collect();
    assert!(skipped.len() >= 2, "{told:?}");
    assert!(
        skipped
            .iter()
            .all(|note| note.contains("broken on the way")),
        "{skipped:?}"
    );
    // What does not build takes no boot; what does not boot takes one.
    let asked: BTreeSet<String> = stage.asked()[before..].iter().cloned().collect();
    let unbuilt = skipped.len()
        - asked
            .iter()
            .filter(|id| stage.history.unbootable.contains(id))
            .count();
    let boots = asked.len() - unbuilt;
    let bound = (stage.history.candidates as f64).log2() + 3.0;
    eprintln!(
        "{} candidates: {boots} boots and {unbuilt} that did not build",
        stage.history.candidates
    );
    assert!(boots as f64 <= bound, "{boots} boots are more than {bound}");
    assert!(
        asked.iter().any(|id| stage.history.unbootable.contains(id)),
        "no boot was in the way"
    );
    for file in ["bisect.md", "junit.xml", "git-bisect.log"] {
        assert!(
            stage.kcluster.state().join("alone").join(file).exists(),
            "{file}"
        );
    }
}

fn git_takes_the_log(stage: &Stage) {
    let log = stage.run(&["bisect", "log", "--dir", "alone"], 0);
    let file = stage.kcluster.state().join("replay.log");
    fs_err::write(&file, &log.stdout).unwrap();
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .args(args)
            .current_dir(&stage.history.path)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "git {args:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    };
    git(&["reset", "--quiet", "--hard"]);
    let said = git(&["bisect", "replay", file.to_str().unwrap()]);
    let first = format!("{} is the first bad commit", stage.history.culprit);
    assert!(said.contains(&first), "{said}\n{}", log.stdout);
    let replayed = git(&["bisect", "log"]);
    let commands = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.starts_with("git bisect"))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(commands(&replayed), commands(&log.stdout));
    git(&["bisect", "reset"]);
}

#[test]
fn a_budget_stops_in_order_and_says_how_to_go_on() {
    let stage = Stage::new();
    let mut begin = stage.begin("search");
    begin.splice(1..1, ["--budget", "1s"]);
    let output = stage.run(&begin, 5);
    assert!(
        output.stderr.contains("bisect resume --dir"),
        "{}",
        output.stderr
    );
    let status = stage.run(&["bisect", "status", "--dir", "search"], 0);
    assert!(status.stdout.contains("not found yet"), "{}", status.stdout);
    let refused = stage.run(&stage.begin("search"), 2);
    assert!(
        refused.stderr.contains("holds a search already"),
        "{}",
        refused.stderr
    );
    stage.run(&["bisect", "resume"], 0);
    assert_eq!(
        stage.json("search/result.json")["culprit"]["id"],
        stage.history.culprit.as_str()
    );
}

#[test]
fn ends_that_cannot_be_are_refused_before_anything_is_made() {
    let stage = Stage::new();
    let with = |good: &str, bad: &str, more: &[&str]| {
        let args = search(&stage.history.path, (good, bad), more).unwrap();
        stage.run(&args, 2).stderr
    };
    let command = ["--no-cluster", "--", "true"];
    for (good, bad, said) in [
        ("main", "v1.36.3", "the wrong way round"),
        ("nowhere", "main", "revision `nowhere`"),
        ("--help", "main", "value"),
        ("last-green", "main", "--results"),
        ("2001-01-01", "main", "as old as that"),
    ] {
        let stderr = with(good, bad, &command);
        assert!(stderr.contains(said), "{good} {bad}: {stderr}");
    }
    assert!(with("v1.36.3", "main", &[]).contains("nothing says what to test"));
    let flaky = with(
        "v1.36.3",
        "main",
        &[
            "--fails-on-good",
            "0.9",
            "--fails-on-bad",
            "0.3",
            "--no-cluster",
            "--",
            "true",
        ],
    );
    assert!(flaky.contains("cannot be told apart"), "{flaky}");
    assert!(stage.asked().is_empty() && !stage.kcluster.state().join("bisect").exists());
}
