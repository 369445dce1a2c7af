use super::*;
use crate::selection::Which;

fn report() -> Report {
    Report::read(include_bytes!("../../fixtures/list.json").as_slice()).unwrap()
}

fn by_substring(part: &str) -> Selection {
    Selection {
        which: Which::All,
        substring: Some(part.into()),
        ..Selection::default()
    }
}

#[test]
fn the_dry_run_says_what_would_run() {
    let selection = Selection {
        which: Which::All,
        ..Selection::default()
    };
    let list = SpecList::from_report(&report(), &selection).unwrap();
    // 12 specs, of which two have no label Conformance and one is pending.
    assert_eq!((list.len(), list.total), (9, 12));
    assert_eq!(list.ginkgo_flags(), ["--label-filter=Conformance"]);
    assert_eq!(list.specs[0].class(), "sig-network");
    assert_eq!(list.specs.iter().filter(|spec| spec.is_serial()).count(), 2);
}

#[test]
fn a_substring_is_literal_and_selects_by_full_names() {
    let list = SpecList::from_report(&report(), &by_substring("Services (really) p")).unwrap();
    insta::assert_snapshot!(list.ginkgo_flags().join("\n"), @r"
    --label-filter=Conformance
    --focus=^Kubernetes e2e suite (\[sig-network\] Services \(really\) panics \[Conformance\])$
    ");
    // "suite" is in the description that ginkgo matches too, and in no name.
    assert!(SpecList::from_report(&report(), &by_substring("e2e suite")).is_err());
}

#[test]
fn a_part_of_a_list_is_no_longer_selected_by_labels() {
    let all = Selection {
        which: Which::All,
        ..Selection::default()
    };
    let list = SpecList::from_report(&report(), &all).unwrap();
    let mut count = 0;
    let half = list.only(|_| {
        count += 1;
        count % 2 == 0
    });
    assert_eq!((half.len(), half.ginkgo_flags().len()), (4, 2));
    assert_eq!(list.only(|_| true).ginkgo_flags().len(), 1);
}

#[test]
fn very_long_lists_are_split_below_the_limit_of_an_argument() {
    let mut list = SpecList::from_report(&report(), &by_substring("Pods")).unwrap();
    let spec = list.specs[0].clone();
    list.specs = (0..3000)
        .map(|n| Spec {
            name: format!("{} {n} {}", spec.name, "x".repeat(90)),
            ..spec.clone()
        })
        .collect();
    let flags = list.ginkgo_flags();
    assert!(flags.len() > 4);
    assert!(flags.iter().all(|flag| flag.len() < 128 << 10));
    let named: usize = flags[1..]
        .iter()
        .map(|flag| flag.matches('|').count() + 1)
        .sum();
    assert_eq!(named, 3000);
}

#[test]
fn nothing_found_is_an_error_that_helps() {
    let message = |selection: &Selection| {
        SpecList::from_report(&report(), selection)
            .unwrap_err()
            .to_string()
    };
    insta::assert_snapshot!(message(&by_substring("configmap")), @"0 of 12 specs match labels `Conformance`, name containing `configmap`; did you mean `ConfigMap`? 3 match it, such as `[sig-storage] ConfigMap passes at once [NodeConformance] [Conformance]`");
    insta::assert_snapshot!(message(&by_substring("Servcies (realy) panics")), @"0 of 12 specs match labels `Conformance`, name containing `Servcies (realy) panics`; did you mean `Services (really) panics`? 1 match it, such as `[sig-network] Services (really) panics [Conformance]`");
    insta::assert_snapshot!(message(&by_substring("is slow")), @"0 of 12 specs match labels `Conformance`, name containing `is slow`; 1 outside of conformance do: select them with `--label-filter`");
    insta::assert_snapshot!(message(&by_substring("qqqqqq")), @"0 of 12 specs match labels `Conformance`, name containing `qqqqqq`; names are matched literally and as a whole, see `--dry-run` for all of them");
}

#[test]
fn serial_specs_are_pointed_to() {
    // A dry run with `!Serial` reports serial specs as skipped.
    let mut report = report();
    for spec in &mut report.spec_reports {
        spec.state = State::Skipped;
    }
    let selection = Selection {
        substring: Some("Preemption".into()),
        ..Selection::default()
    };
    let message = SpecList::from_report(&report, &selection)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("2 serial ones do: run them with `e2e-serial`"),
        "{message}"
    );
}

#[test]
fn a_refused_expression_is_told_without_the_stack() {
    let said = "panic: regexp: Compile(`a(`): error parsing regexp: missing closing ): `a(`\n\ngoroutine 1 [running]:\nmain.main()\n";
    assert_eq!(
        refusal(said),
        "regexp: Compile(`a(`): error parsing regexp: missing closing ): `a(`"
    );
    assert_eq!(
        refusal("Ginkgo detected configuration issues:\n\n  Mismatched '('\n"),
        "Ginkgo detected configuration issues: / Mismatched '('"
    );
}
