//! Files as people have them: with comments, others' clusters, in lines and in brackets.

mod files;

use proptest::prelude::*;
use yaml_serde::Value;

use super::edit;

/// Written by hand and by several programs.
const LIVED_IN: &str = "\
# My clusters. Do not sort!
apiVersion: v1
kind: Config
preferences: {}

clusters:
# production, ask before you touch it
- cluster:
    certificate-authority-data: QUJD   # until March
    server: https://prod.example:6443
  name: prod
- name: \"home lab\"
  cluster: {server: 'https://10.0.0.5:6443', insecure-skip-tls-verify: true}
  # the one below the stairs
users:
  - name: me
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1
        command: login
        args: [--quiet, \"--for=me\"]
        interactiveMode: Never
  -
    name: robot
    user:
      token: >-
        aaaa
        bbbb

contexts:
- context: {cluster: prod, user: me, namespace: web}
  name: prod
- {name: lab, context: {cluster: home lab, user: robot}}
current-context:   prod  # careful
# the end
";

fn ours(port: u16) -> Value {
    let text = format!(
        "apiVersion: v1
kind: Config
clusters:
- name: kcluster-a
  cluster:
    certificate-authority-data: Q0E=
    server: https://127.0.0.1:{port}
contexts:
- name: kcluster-a
  context:
    cluster: kcluster-a
    user: kcluster-a
current-context: kcluster-a
preferences: {{}}
users:
- name: kcluster-a
  user:
    client-certificate-data: Q0VSVA==
    client-key-data: S0VZ
"
    );
    edit::value(&text).unwrap()
}

/// In and out again.
fn there_and_back(text: &str) -> (String, String) {
    let merged =
        edit::with(text, &ours(1), "kcluster-a").unwrap_or_else(|error| panic!("{error}: {text}"));
    let content = edit::value(&merged).unwrap();
    for (list, _) in edit::LISTS {
        assert!(
            edit::entry(&content, list, "kcluster-a").is_some(),
            "{merged}"
        );
    }
    assert_eq!(content["current-context"], "kcluster-a");
    let previous = edit::current(text).unwrap();
    let back = edit::without(&merged, "kcluster-a", previous.as_deref());
    (
        merged.clone(),
        back.unwrap_or_else(|error| panic!("{error}: {merged}")),
    )
}

#[test]
fn the_rest_of_the_file_stays_byte_for_byte() {
    let json = "{\"kind\": \"Config\", \"clusters\": [{\"name\": \"b\", \"cluster\": {\"server\": \"s\"}}],\n \
                \"users\": [{\"name\": \"u\", \"user\": {}}], \"contexts\": [{\"name\": \"c\", \"context\": {}}],\n \
                \"current-context\": \"c\"}\n";
    for text in [
        LIVED_IN,
        &LIVED_IN.replace('\n', "\r\n"),
        LIVED_IN.replace("\n# the end\n", "").as_str(),
        &format!("--- # a document\n{LIVED_IN}...\n"),
        json,
    ] {
        let (merged, back) = there_and_back(text);
        assert_eq!(
            back.trim_end_matches(['\r', '\n']),
            text.trim_end_matches(['\r', '\n'])
        );
        // Nothing of it was moved, and every line of ours is as the file's are.
        let mut lines = merged.lines();
        let kept = text
            .lines()
            .filter(|line| !line.starts_with("current-context"));
        for line in kept.filter(|_| !text.starts_with('{')) {
            assert!(lines.any(|other| other == line), "`{line}` in\n{merged}");
        }
        assert_eq!(merged.contains("\r\n"), text.contains("\r\n"));
        assert_eq!(merged.ends_with('\n'), text.ends_with('\n'));
    }
    let (merged, back) = there_and_back(LIVED_IN);
    assert_eq!(back, LIVED_IN);
    assert!(
        merged.contains("current-context:   kcluster-a  # careful\n"),
        "{merged}"
    );
    assert!(
        merged.contains("  - name: kcluster-a\n    user:\n"),
        "{merged}"
    );
}

#[test]
fn files_without_clusters_take_one_and_stay_as_empty_as_they_were() {
    for text in [
        "",
        "# nothing yet\n",
        "apiVersion: v1\nkind: Config\n",
        "apiVersion: v1\nclusters: null\ncontexts: null\ncurrent-context: \"\"\nkind: Config\nusers: null\n",
        "clusters: [] # none\ncontexts:\nusers: ~\nkind: Config\ncurrent-context:\n",
        "{}",
        "{\"clusters\": [], \"users\": null, \"contexts\": []}",
    ] {
        let (merged, back) = there_and_back(text);
        let content = edit::value(&back).unwrap();
        for (list, _) in edit::LISTS {
            assert!(
                content[list].as_sequence().is_some_and(Vec::is_empty),
                "{back}"
            );
        }
        for comment in text.lines().filter_map(|line| line.split_once('#')) {
            assert!(
                merged.contains(comment.1) && back.contains(comment.1),
                "{merged}\n{back}"
            );
        }
    }
}

#[test]
fn what_cannot_be_changed_is_left_alone_and_told() {
    for text in [
        "clusters: {a: b}\n",
        "clusters: [\n",
        "just words",
        "- a list\n",
        "a: 1\n---\nb: 2\n",
        "users:\n- name: kcluster-a\n  user: &mine {token: x}\n- name: other\n  user: *mine\n",
    ] {
        assert!(edit::with(text, &ours(1), "kcluster-a").is_err(), "{text}");
    }
}

#[test]
fn a_second_time_changes_only_what_is_another_by_now() {
    let (merged, _) = there_and_back(LIVED_IN);
    let again = edit::with(&merged, &ours(1), "kcluster-a").unwrap();
    assert_eq!(again, merged);
    // The user's own choices since.
    let chosen = merged
        .replace(
            "    user: kcluster-a\n",
            "    user: kcluster-a\n    namespace: mine\n",
        )
        .replace("current-context:   kcluster-a", "current-context:   lab");
    assert_ne!(chosen, merged);
    let moved = edit::with(&chosen, &ours(2), "kcluster-a").unwrap();
    assert_eq!(moved, chosen.replace("127.0.0.1:1", "127.0.0.1:2"));
    let back = edit::without(&moved, "kcluster-a", Some("prod")).unwrap();
    assert_eq!(
        back,
        LIVED_IN.replace("current-context:   prod", "current-context:   lab")
    );
    // What was current before may be gone.
    let gone = merged.replace("name: prod\n", "name: produce\n");
    let back = edit::without(&gone, "kcluster-a", Some("prod")).unwrap();
    assert!(
        back.contains("current-context:   \"\"  # careful\n"),
        "{back}"
    );
}

proptest! {
    /// Entries in any style, with comments anywhere: what was there is there, in its order.
    #[test]
    fn any_mixture_of_styles_keeps_its_lines(
        entries in proptest::collection::vec((0usize..5, 0usize..3), 1..5),
        indent in 0usize..4,
        current in 0usize..4,
        end in 0usize..3,
    ) {
        let blanks = " ".repeat(indent);
        let mut text = String::from("# top\n");
        for (list, field) in edit::LISTS {
            text.push_str(&format!("{list}: # these\n"));
            for (number, (style, comment)) in entries.iter().enumerate() {
                text.push_str(["", "# between\n", "\n   # far in\n"][*comment]);
                let entry = match style {
                    0 => format!("{blanks}- name: n{number}\n{blanks}  {field}:\n{blanks}    server: x\n"),
                    1 => format!("{blanks}- {field}: {{}}\n{blanks}  name: n{number} # last\n"),
                    2 => format!("{blanks}- {{name: n{number}, {field}: {{user: y}}}}\n"),
                    3 => format!("{blanks}-\n{blanks}  name: 'n{number}'\n{blanks}  {field}: null\n"),
                    _ => format!("{blanks}-   \"name\": n{number}\n{blanks}    {field}:\n{blanks}      token: |\n{blanks}        a\n{blanks}         b\n"),
                };
                text.push_str(&entry);
            }
        }
        text.push_str(["", "current-context: n0\n", "current-context: \"n0\"   # me\n", "current-context:\n"][current]);
        text.push_str(["", "# end", "\n\n# end\n"][end]);
        let (merged, back) = there_and_back(&text);
        prop_assert_eq!(back.trim_end(), text.trim_end());
        let mut lines = merged.lines();
        for line in text.lines().filter(|line| !line.starts_with("current")) {
            prop_assert!(lines.any(|other| other == line), "`{}` in\n{}", line, merged);
        }
    }
}
