//! Which specs are meant.

/// Whether specs that must run alone are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Which {
    /// Those that may run beside others.
    #[default]
    Parallel,
    /// Those that may not.
    Serial,
    /// Both; ginkgo runs the serial ones last, alone.
    All,
}

impl Which {
    /// The phase's name in suites and reports.
    #[must_use]
    pub fn phase(self) -> &'static str {
        match self {
            Self::Parallel => "conformance",
            Self::Serial => "conformance-serial",
            Self::All => "conformance-all",
        }
    }
}

/// Which specs of `e2e.test` are meant. The default is all of non-serial conformance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Parallel, serial, or both.
    pub which: Which,
    /// Literal part of a spec's full name.
    pub substring: Option<String>,
    /// Regular expressions in Go's syntax; a spec is meant if one of them matches its name.
    pub focus: Vec<String>,
    /// Regular expressions in Go's syntax; a spec is left out if one of them matches its name.
    pub skip: Vec<String>,
    /// A label expression as ginkgo reads it, in place of `Conformance`; an empty one means all.
    pub label_filter: Option<String>,
}

impl Selection {
    /// The label expression for ginkgo.
    #[must_use]
    pub fn label_filter(&self) -> String {
        let base = self.label_filter.as_deref().unwrap_or("Conformance");
        // Parentheses only where they are needed, so that the usual filters read as in upstream's CI.
        let simple = base.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let base = if simple {
            base.to_owned()
        } else {
            format!("({base})")
        };
        match self.which {
            Which::Parallel if base.is_empty() => "!Serial".to_owned(),
            Which::Serial if base.is_empty() => "Serial".to_owned(),
            Which::Parallel => format!("{base} && !Serial"),
            Which::Serial => format!("{base} && Serial"),
            Which::All => base,
        }
    }

    /// Whether anything but labels selects.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        self.substring.is_some() || !self.focus.is_empty() || !self.skip.is_empty()
    }

    /// What makes this less than all of conformance, as it was asked for.
    #[must_use]
    pub fn narrowings(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        found.extend(self.substring.iter().map(|part| format!("name `{part}`")));
        found.extend(self.focus.iter().map(|regex| format!("--focus `{regex}`")));
        found.extend(self.skip.iter().map(|regex| format!("--skip `{regex}`")));
        let labels = self.label_filter.iter();
        found.extend(labels.map(|labels| format!("--label-filter `{labels}`")));
        found
    }

    /// The selection in words, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut words = vec![format!("labels `{}`", self.label_filter())];
        words.extend(
            self.substring
                .iter()
                .map(|part| format!("name containing `{part}`")),
        );
        words.extend(self.focus.iter().map(|regex| format!("focus `{regex}`")));
        words.extend(self.skip.iter().map(|regex| format!("skip `{regex}`")));
        words.join(", ")
    }
}

/// `text` as a Go regular expression that matches just that text.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_say_parallel_serial_and_both() {
        let mut selection = Selection::default();
        assert_eq!(selection.label_filter(), "Conformance && !Serial");
        selection.which = Which::Serial;
        assert_eq!(selection.label_filter(), "Conformance && Serial");
        selection.which = Which::All;
        assert_eq!(selection.label_filter(), "Conformance");
        selection.which = Which::Parallel;
        selection.label_filter = Some(String::new());
        assert_eq!(selection.label_filter(), "!Serial");
        selection.label_filter = Some("sig-node || Slow".into());
        assert_eq!(selection.label_filter(), "(sig-node || Slow) && !Serial");
    }

    #[test]
    fn what_go_reads_as_syntax_is_escaped() {
        assert_eq!(
            escape("[sig-x] a.b (c) {d}|e^$+*?\\ – é"),
            r"\[sig-x\] a\.b \(c\) \{d\}\|e\^\$\+\*\?\\ – é"
        );
    }
}
