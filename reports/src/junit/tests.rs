use super::*;
use proptest::prelude::*;
use std::time::Duration as Time;

pub(crate) fn case(name: &str, outcome: Outcome, attempts: u32, output: &str) -> Case {
    Case {
        name: name.into(),
        class: "sig-node".into(),
        took: Time::from_millis(1500),
        outcome,
        attempts,
        output: output.into(),
    }
}

fn suite(cases: Vec<Case>) -> Suite {
    Suite {
        name: "v1.36.3-bridge-amd64".into(),
        phase: "conformance".into(),
        host: "runner-1".into(),
        started: "2026-11-21T03:00:00Z".parse().unwrap(),
        properties: vec![
            ("kubernetes".into(), "v1.36.3".into()),
            ("native".into(), "all".into()),
        ],
        cases,
    }
}

fn every_kind() -> Vec<Case> {
    let message = || "expected 2\n  to equal 3\nat pods.go:12".to_owned();
    vec![
        case(
            "[sig-node] Pods pass [Conformance]",
            Outcome::Passed,
            1,
            "not shown",
        ),
        case(
            "[sig-node] Pods <&\"'> fail",
            Outcome::Failed { message: message() },
            1,
            "\u{1b}[31mred\u{1b}[0m ]]> \0 <&>",
        ),
        case(
            "[sig-node] Pods err",
            Outcome::Errored { message: message() },
            1,
            "",
        ),
        case(
            "[sig-node] Pods skip",
            Outcome::Skipped {
                reason: "needs\n3 nodes".into(),
            },
            1,
            "",
        ),
        case(
            "[sig-node] Pods flake",
            Outcome::Passed,
            2,
            "first attempt: no",
        ),
    ]
}

#[test]
fn every_kind_of_verdict_has_its_element() {
    insta::assert_snapshot!(render(&[suite(every_kind())]).unwrap(), @r#"
    <?xml version="1.0" encoding="utf-8"?>
    <testsuites tests="5" failures="1" errors="1" skipped="1">
      <testsuite id="0" skipped="1" name="v1.36.3-bridge-amd64 conformance" package="conformance" tests="5" errors="1" failures="1" hostname="runner-1" timestamp="2026-11-21T03:00:00Z" time="6">
        <testcase name="[sig-node] Pods pass [Conformance]" time="1.5" classname="sig-node"/>
        <testcase name="[sig-node] Pods &lt;&amp;&quot;&apos;&gt; fail" time="1.5" classname="sig-node">
          <failure type="failed" message="expected 2"><![CDATA[expected 2
      to equal 3
    at pods.go:12]]></failure>
          <system-out><![CDATA[red ]] >  <&>]]></system-out>
        </testcase>
        <testcase name="[sig-node] Pods err" time="1.5" classname="sig-node">
          <error type="errored" message="expected 2"><![CDATA[expected 2
      to equal 3
    at pods.go:12]]></error>
        </testcase>
        <testcase name="[sig-node] Pods skip" time="0" classname="sig-node">
          <skipped type="skipped" message="needs 3 nodes"/>
        </testcase>
        <testcase name="[sig-node] Pods flake" time="1.5" classname="sig-node">
          <system-out><![CDATA[[kcluster] flaky: passed on attempt 2, failed before
    first attempt: no]]></system-out>
        </testcase>
          <system-out><![CDATA[kubernetes: v1.36.3
    native: all
    flaky (passed, but not at first):
      [sig-node] Pods flake (2 attempts)
    ]]></system-out>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn nothing_at_all_is_a_report_too() {
    for suites in [vec![], vec![suite(vec![])]] {
        let xml = render(&suites).unwrap();
        roxmltree::Document::parse(&xml).unwrap();
    }
}

#[test]
fn output_is_capped_per_case_and_per_report() {
    let message = || Outcome::Failed {
        message: "no".into(),
    };
    let long = "x".repeat(1 << 20);
    let cases: Vec<Case> = (0..300)
        .map(|n| case(&n.to_string(), message(), 1, &long))
        .collect();
    let xml = render(&[suite(cases)]).unwrap();
    assert!(xml.len() < MOST_PER_REPORT + (1 << 20), "{}", xml.len());
    assert!(xml.contains("917504 bytes left out"));
    assert!(roxmltree::Document::parse(&xml).is_ok());
}

#[test]
fn what_junit_report_cannot_hold_does_not_make_it_panic() {
    let mut odd = suite(vec![
        case("a", Outcome::Passed, 1, ""),
        case("b", Outcome::Passed, 1, ""),
    ]);
    for case in &mut odd.cases {
        case.took = Time::MAX;
    }
    for at in [Timestamp::MIN, Timestamp::MAX] {
        odd.started = at;
        roxmltree::Document::parse(&render(&[odd.clone()]).unwrap()).unwrap();
    }
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        Just("]]>".to_owned()),
        Just("<![CDATA[".to_owned()),
        Just("]]".to_owned()),
        Just(">".to_owned()),
        Just("\u{1b}[31m".to_owned()),
        Just("\u{0}\u{1f}\u{fffe}".to_owned()),
        Just("</testcase><testsuite id=\"0\" ".to_owned()),
        Just("<testsuites>".to_owned()),
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Passed),
        text().prop_map(|message| Outcome::Failed { message }),
        text().prop_map(|message| Outcome::Errored { message }),
        text().prop_map(|reason| Outcome::Skipped { reason }),
    ]
}

fn any_case() -> impl Strategy<Value = Case> {
    (text(), text(), outcome(), 0u32..4, text(), any::<Time>()).prop_map(
        |(name, class, outcome, attempts, output, took)| Case {
            name,
            class,
            took,
            outcome,
            attempts,
            output,
        },
    )
}

fn any_suite() -> impl Strategy<Value = Suite> {
    let properties = proptest::collection::vec((text(), text()), 0..3);
    let cases = proptest::collection::vec(any_case(), 0..6);
    (text(), text(), text(), properties, cases).prop_map(
        |(name, phase, host, properties, cases)| Suite {
            name,
            phase,
            host,
            properties,
            ..suite(cases)
        },
    )
}

proptest! {
    /// Whatever is put in, a strict parser reads the same counts out.
    #[test]
    fn any_text_makes_xml_with_the_same_counts(suites in proptest::collection::vec(any_suite(), 0..3)) {
        let xml = render(&suites).unwrap();
        let document = roxmltree::Document::parse(&xml)
            .map_err(|error| TestCaseError::fail(format!("{error}: {xml:?}")))?;
        let root = document.root_element();
        let read: Vec<_> = root.children().filter(|node| node.has_tag_name("testsuite")).collect();
        prop_assert_eq!(read.len(), suites.len());
        let number = |node: &roxmltree::Node<'_, '_>, name: &str| -> usize {
            node.attribute(name).unwrap().parse().unwrap()
        };
        for (node, suite) in read.iter().zip(&suites) {
            let totals = Totals::of(&suite.cases);
            prop_assert_eq!(number(node, "tests"), totals.cases());
            prop_assert_eq!(number(node, "failures"), totals.failed);
            prop_assert_eq!(number(node, "errors"), totals.errored);
            prop_assert_eq!(number(node, "skipped"), totals.skipped);
            for (tag, count) in [("testcase", totals.cases()), ("failure", totals.failed), ("error", totals.errored), ("skipped", totals.skipped)] {
                let found = node.descendants().filter(|node| node.has_tag_name(tag)).count();
                prop_assert_eq!(found, count, "{}", tag);
            }
        }
        let all = Totals::of(suites.iter().flat_map(|suite| &suite.cases));
        prop_assert_eq!(number(&root, "tests"), all.cases());
    }

    /// Plain names come back as they went in.
    #[test]
    fn names_survive(name in "[!-~]{1,20}( [!-~]{1,20}){0,3}") {
        let one = suite(vec![case(&name, Outcome::Passed, 1, "")]);
        let xml = render(&[one]).unwrap();
        let document = roxmltree::Document::parse(&xml).unwrap();
        let read = document.descendants().find(|node| node.has_tag_name("testcase")).unwrap();
        prop_assert_eq!(read.attribute("name").unwrap(), name.replace("]]>", "]] >"));
    }
}
