//! The page of keys, from the table of settings.

use std::fmt::Write as _;

use cargo_kcluster::config::{Group, KEYS, Key};

use crate::words::prose;

/// Groups in the order of the page.
const GROUPS: [(Group, &str); 9] = [
    (Group::Name, "The cluster"),
    (Group::Cluster, "What a cluster is like"),
    (Group::Image, "What its nodes are made of"),
    (Group::Source, "Where Kubernetes comes from"),
    (Group::Tests, "How specs are run"),
    (Group::Matrix, "Many cells"),
    (Group::Report, "Reports"),
    (Group::Product, "What is certified"),
    (Group::Global, "For every command"),
];

/// Every key in each of its forms.
pub(crate) fn page() -> String {
    let mut text = String::from(
        "# Keys\n\nMade from the table that the program reads its settings by. [Configuration](configuration.md) tells which \
         of a key's forms wins; `cargo kcluster config show` what each key is right now, and why.\n\n",
    );
    for (group, title) in GROUPS {
        let keys = KEYS.iter().filter(|key| key.group == group);
        let links: Vec<String> = keys
            .map(|key| format!("[`{0}`](#{0})", key.name()))
            .collect();
        let _ = writeln!(text, "- {title}: {}", links.join(", "));
    }
    for (group, title) in GROUPS {
        let _ = write!(text, "\n## {title}\n\n");
        for key in KEYS.iter().filter(|key| key.group == group) {
            entry(&mut text, key);
        }
    }
    text
}

fn entry(text: &mut String, key: &Key) {
    let (name, variable) = (key.name(), key.variable());
    let variables = match key.also {
        Some(also) => format!("`{variable}`, `{also}`"),
        None => format!("`{variable}`"),
    };
    let short = key.short.map(|short| format!("`-{short}`, "));
    let _ = write!(
        text,
        "### `{name}`\n\n{}\n\n- flag: {}`--{name} {}`\n- variable: {variables}\n- default: `{}`\n- for example: `{}`\n\n",
        prose(&key.doc()),
        short.unwrap_or_default(),
        key.hint,
        key.default_text(),
        key.example,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_on_the_page_once() {
        let page = page();
        for key in KEYS {
            let heading = format!("### `{}`\n", key.name());
            assert_eq!(page.matches(&heading).count(), 1, "{heading}");
            assert!(page.contains(&key.variable()));
        }
    }
}
