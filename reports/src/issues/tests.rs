use std::time::Duration;

use super::*;
use crate::bisect::{Culprit, Tested};
use kcluster_matrix::bisect::Answer;
use kcluster_matrix::outcome::Totals;
use proptest::prelude::*;

const CULPRIT: &str = "00000000000000000000000000000000000000c1";

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(day * 86_400 + 3600).unwrap()
}

fn revision(day: i64) -> String {
    format!("{day:040}")
}

fn day(number: i64, cell: &str, failed: &[&str]) -> Day {
    Day {
        at: at(number),
        cell: cell.into(),
        revision: revision(number),
        totals: Totals {
            passed: 3,
            failed: failed.len(),
            ..Totals::default()
        },
        took: Duration::ZERO,
        failed: failed.iter().map(|name| (*name).to_owned()).collect(),
        flaky: Vec::new(),
    }
}

/// A search that began some days after the first and saw `CULPRIT`.
fn finding(cell: &str, seen: i64) -> Finding {
    let tested = |id: &str, title: &str, answer, note: Option<&str>| Tested {
        id: id.to_owned(),
        title: title.to_owned(),
        answer,
        passed: 1,
        failed: 0,
        note: note.map(str::to_owned),
    };
    Finding {
        format: 1,
        cell: cell.into(),
        test: "cargo kcluster e2e --focus 'a spec'".into(),
        source: "https://github.com/kubernetes/kubernetes.git".into(),
        reproduce: "cargo kcluster bisect --good g --bad c1".into(),
        begun: Timestamp::from_second(seen * 86_400 + 7200).unwrap(),
        goal: Goal::FirstBad,
        good: revision(seen - 1),
        bad: revision(seen),
        candidates: 8,
        left: 0,
        boots: 4,
        runs: 4,
        error: 0.01,
        conclusion: Some(Conclusion::Found {
            point: CULPRIT.into(),
        }),
        culprit: Some(Culprit {
            id: CULPRIT.into(),
            title: "service: speed up | @somebody --> <b>".into(),
            pull_request: Some(12),
        }),
        points: vec![
            tested(CULPRIT, "service: speed up", Answer::Bad, None),
            tested(
                "d",
                "on the way",
                Answer::CannotTell,
                Some("it does not build:\n@x <!-- kcluster-bisect {} -->"),
            ),
        ],
    }
}

fn issue(number: u64, open: bool, created: i64, body: &str) -> Known {
    Known {
        number,
        open,
        body: body.to_owned(),
        created: at(created),
    }
}

fn opened(decision: &Decision) -> (&str, &str) {
    match decision.actions.as_slice() {
        [Action::Open { title, body, .. }] => (title, body),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_culprit_is_opened_once_kept_up_to_date_and_closed_when_green() {
    let cell = "bridge-amd64";
    let mut days = vec![day(1, cell, &[]), day(2, cell, &["a spec"])];
    let found = [finding(cell, 2)];
    let decision = decide(&found, &days, &[], at(2));
    let (title, body) = opened(&decision);
    assert!(
        title.starts_with("bridge-amd64: broken by 000000000000 service: speed up"),
        "{title}"
    );
    for part in [
        "https://github.com/kubernetes/kubernetes/commit/00000000000000000000000000000000000000c1",
        "[12](https://redirect.github.com/kubernetes/kubernetes/pull/12)",
        "- **reproduce:** `cargo kcluster bisect --good g --bad c1`",
        "- `a spec`",
        "red since:** 1970-01-03 at",
        "| `000000000000` | service: speed up | bad | 1 | 0 |",
        "\n\n      it does not build:",
    ] {
        assert!(body.contains(part), "{part} is not in\n{body}");
    }
    assert!(
        !body.contains("@somebody") && !body.contains("<b>"),
        "{body}"
    );
    let read = Subject::read(body).unwrap();
    assert_eq!(read, Subject::of(&found[0]).unwrap());

    let known = [issue(7, true, 2, body)];
    let same = decide(&found, &days, &known, at(2));
    assert!(same.actions.is_empty(), "{same:?}");
    days.push(day(3, cell, &["a spec", "another"]));
    let later = decide(&found, &days, &known, at(3));
    let [Action::Update { number: 7, body }] = later.actions.as_slice() else {
        panic!("{later:?}");
    };
    assert!(body.contains("red last:** 1970-01-04"), "{body}");

    // Green is what it was about; another spec is another's matter.
    days.push(day(4, cell, &["another"]));
    let green = decide(&found, &days, &known, at(4));
    let [Action::Close { number: 7, comment }] = green.actions.as_slice() else {
        panic!("{green:?}");
    };
    assert!(comment.contains("1970-01-05"), "{comment}");
    // Also when the search's result is not there any more.
    assert_eq!(decide(&[], &days, &known, at(4)), green);
    let closed = [issue(7, false, 2, body)];
    assert!(decide(&found, &days, &closed, at(5)).actions.is_empty());

    // Red again by the same commit: the issue that people know is opened again.
    days.push(day(6, cell, &["a spec"]));
    let again = decide(&[finding(cell, 2), finding(cell, 6)], &days, &closed, at(6));
    assert!(
        matches!(again.actions.as_slice(), [Action::Reopen { number: 7, .. }]),
        "{again:?}"
    );
}

#[test]
fn one_issue_a_day_and_the_others_on_the_days_after() {
    let cells = ["a-amd64", "b-amd64"];
    let days: Vec<Day> = cells
        .iter()
        .flat_map(|cell| [day(1, cell, &[]), day(2, cell, &["a spec"])])
        .collect();
    let found = cells.map(|cell| finding(cell, 2));
    let first = decide(&found, &days, &[], at(2));
    let (_, body) = opened(&first);
    assert!(first.notes[0].contains("one a day"), "{:?}", first.notes);
    let known = [issue(1, true, 2, body)];
    assert!(decide(&found, &days, &known, at(2)).actions.is_empty());
    let next = decide(&found, &days, &known, at(3));
    let (title, _) = opened(&next);
    assert!(title.starts_with("b-amd64"), "{title}");
}

#[test]
fn what_a_person_closed_stays_closed_and_strangers_are_left_alone() {
    let days = [day(1, "a", &[]), day(2, "a", &["a spec"])];
    let found = [finding("a", 2)];
    let decision = decide(&found, &days, &[], at(2));
    let (_, body) = opened(&decision);
    let known = [
        issue(1, false, 1, body),
        issue(2, true, 1, "about something else"),
    ];
    let left = decide(&found, &days, &known, at(4));
    assert!(left.actions.is_empty(), "{left:?}");
    assert!(left.notes[0].contains("closed by somebody"), "{left:?}");
}

#[test]
fn searches_that_blame_nobody_open_nothing() {
    let mut unfinished = finding("a", 2);
    unfinished.conclusion = None;
    let mut wrong = finding("a", 3);
    wrong.conclusion = Some(Conclusion::WrongEnd {
        point: "x".into(),
        said: Answer::Bad,
        is: Answer::Good,
    });
    let mut fix = finding("a", 4);
    fix.goal = Goal::FirstGood;
    let decision = decide(&[unfinished, wrong, fix], &[], &[], at(5));
    assert!(decision.actions.is_empty(), "{decision:?}");
    assert_eq!(decision.notes.len(), 3, "{decision:?}");
}

#[test]
fn commits_that_cannot_be_told_apart_are_one_issue() {
    let mut found = finding("a", 2);
    found.culprit = None;
    found.conclusion = Some(Conclusion::OneOf {
        points: vec!["d".into(), CULPRIT.into()],
    });
    let decision = decide(&[found], &[], &[], at(5));
    let (title, body) = opened(&decision);
    assert!(title.contains("one of 2 commits"), "{title}");
    assert!(body.contains("- `d` on the way"), "{body}");
}

proptest! {
    /// Whatever is in the names, an issue is found again; and its text and title are what GitHub takes.
    #[test]
    fn every_issue_is_found_again(cell in "\\PC{0,40}", id in "\\PC{1,40}", title in "\\PC{0,400}", note in "(?s).{0,200}") {
        let mut found = finding(&cell, 2);
        found.conclusion = Some(Conclusion::Found { point: id.clone() });
        found.culprit = Some(Culprit { id, title, pull_request: None });
        found.points[1].note = Some(note.repeat(600));
        let decision = decide(&[found.clone()], &[], &[], at(2));
        let (title, body) = opened(&decision);
        prop_assert!(title.chars().count() <= 256 && !title.contains('\n'));
        prop_assert!(body.chars().count() <= 65_536);
        let subject = Subject::read(body).unwrap();
        prop_assert_eq!(&subject, &Subject::of(&found).unwrap());
        let known = [issue(1, true, 2, body)];
        prop_assert!(decide(&[found], &[], &known, at(2)).actions.is_empty());
    }
}
