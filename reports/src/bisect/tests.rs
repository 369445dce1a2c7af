use super::*;
use kcluster_matrix::bisect::{History, Point, Rule};

fn search() -> Search {
    let point = |id: &str, title: &str, parents: &[&str]| Point {
        id: id.to_owned(),
        title: title.to_owned(),
        parents: parents.iter().map(|id| (*id).to_owned()).collect(),
    };
    let history = History::new(vec![
        point("a", "start", &[]),
        point("b", "side | <b>", &["a"]),
        point("c", "Merge pull request #12 from x/y", &["a", "b"]),
        point("d", "more (#13)", &["c"]),
    ]);
    let mut search = Search::new(
        history.unwrap(),
        Goal::FirstBad,
        ("a", "d"),
        Rule::default(),
    )
    .unwrap();
    for (point, answer) in [
        ("d", Answer::Bad),
        ("a", Answer::Good),
        ("c", Answer::Bad),
        ("b", Answer::Bad),
    ] {
        search.record(point, answer, None).unwrap();
    }
    search
}

fn bisect<'a>(search: &'a Search, attempts: &'a [Attempt]) -> Bisect<'a> {
    Bisect {
        search,
        cell: "bridge-amd64",
        test: "e2e --focus x",
        source: "/srv/k",
        reproduce: "cargo kcluster bisect",
        attempts,
        begun: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn the_pull_request_is_that_of_the_merge_which_brought_it() {
    let search = search();
    let bisect = bisect(&search, &[]);
    let culprit = bisect.culprit().unwrap();
    assert_eq!((culprit.id.as_str(), culprit.pull_request), ("b", Some(12)));
    let text = bisect.markdown();
    assert!(
        text.contains("side \\| \\<b\\>") && text.contains("#12"),
        "{text}"
    );
    let json: serde_json::Value = serde_json::from_str(&bisect.json().unwrap()).unwrap();
    assert_eq!(json["culprit"]["pull_request"], 12);
    assert_eq!(json["conclusion"]["end"], "found");
    let read = Finding::read(&bisect.json().unwrap()).unwrap();
    assert_eq!(read, Finding::of(&bisect));
}

#[test]
fn what_was_skipped_is_told_with_its_reason_everywhere() {
    let mut search = search();
    search
        .record(
            "b",
            Answer::CannotTell,
            Some("it does not build:\n  x.go:1".into()),
        )
        .unwrap();
    let bisect = bisect(&search, &[]);
    assert!(
        bisect.headline().contains("one of 2"),
        "{}",
        bisect.headline()
    );
    let text = bisect.markdown();
    assert!(text.contains("x.go:1"));
    // What did not build was not run.
    assert!(text.contains("0 boots and 4 runs"), "{text}");
    assert_eq!(Finding::of(&bisect).runs, 4);
    let skipped = bisect.suite("h").cases.into_iter().filter(
        |case| matches!(&case.outcome, Outcome::Skipped { reason } if reason.contains("x.go:1")),
    );
    assert_eq!(skipped.count(), 1);
}

#[test]
fn a_version_has_no_title_and_leaves_no_blank() {
    let versions = ["v1.36.3", "v1.37.0", "v1.37.1"];
    let history = History::line(versions.map(|id| (id.to_owned(), String::new()))).unwrap();
    for (middle, told) in [
        (Answer::CannotTell, "\n- `v1.37.0`\n"),
        (Answer::Bad, "\n- **version:** `v1.37.0`\n"),
    ] {
        let ends = ("v1.36.3", "v1.37.1");
        let history = history.clone();
        let mut search = Search::new(history, Goal::FirstBad, ends, Rule::default()).unwrap();
        let answers = [Answer::Good, middle, Answer::Bad];
        for (point, answer) in versions.into_iter().zip(answers) {
            search.record(point, answer, None).unwrap();
        }
        let text = bisect(&search, &[]).markdown();
        assert!(text.contains(told), "{text}");
        assert!(!text.lines().any(|line| line.ends_with(' ')), "{text}");
    }
}

#[test]
fn the_error_of_a_flaky_search_is_told_as_it_was_asked_for() {
    let rule = Rule {
        fails_on_good: 0.07,
        fails_on_bad: 0.9,
        error: 0.0005,
        ..Rule::default()
    };
    let history = search().history().clone();
    let search = Search::new(history, Goal::FirstBad, ("a", "d"), rule).unwrap();
    let text = bisect(&search, &[]).markdown();
    let told = "fails in 7 % of runs on good points and 90 % on bad ones; a wrong answer is less probable than 0.05 %";
    assert!(text.contains(told), "{text}");
}
