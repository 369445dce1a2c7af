//! What a suspension did, as a picture.

use std::fmt::Write as _;

use kcluster_matrix::impact::{ClassImpact, Impact};

use crate::html::escape;

/// How the classes are ordered and coloured: what is promised most comes first.
const CLASSES: [(&str, &str); 3] = [
    ("Guaranteed", "#3b7a57"),
    ("Burstable", "#c98a1b"),
    ("BestEffort", "#b5483a"),
];

/// A measure and what of a class it is.
type Measure = (&'static str, fn(&ClassImpact) -> Option<f64>);

const MEASURES: [Measure; 7] = [
    ("restarts", |class| Some(class.restarts as f64)),
    ("evicted", |class| Some(class.evicted as f64)),
    ("deleted", |class| Some(class.deleted as f64)),
    ("lost readiness", |class| Some(class.lost_readiness as f64)),
    ("probes failed", |class| Some(class.probe_failures as f64)),
    ("connections lost", |class| {
        class.connections_lost.map(|lost| lost as f64)
    }),
    ("seconds until Ready", |class| {
        Some(class.seconds_until_ready)
    }),
];

const LEFT: f64 = 180.0;
const BAR: f64 = 420.0;
const WIDTH: f64 = LEFT + BAR + 80.0;
const LINE: f64 = 18.0;
const GAP: f64 = 12.0;

/// The report of `cluster` as SVG: for each measure a bar for each class, then the nodes' lease gaps.
#[must_use]
pub fn chart(cluster: &str, impact: &Impact) -> String {
    let mut drawing = Drawing::default();
    drawing.text(
        16.0,
        "bold",
        &format!("Resume of {cluster}, by class of pods"),
    );
    drawing.legend(impact);
    for (title, measure) in MEASURES {
        let bars: Vec<Bar> = CLASSES
            .iter()
            .filter_map(|(name, colour)| {
                let class = impact.classes.get(*name)?;
                Some(Bar {
                    label: String::new(),
                    colour,
                    value: measure(class),
                })
            })
            .collect();
        drawing.group(title, "", &bars);
    }
    let bars: Vec<Bar> = impact
        .nodes
        .iter()
        .map(|node| Bar {
            label: node.node.clone(),
            colour: "#4a6fa5",
            value: node.lease_gap_seconds,
        })
        .collect();
    drawing.group("lease gap", " s", &bars);
    drawing.finish()
}

struct Bar {
    label: String,
    colour: &'static str,
    value: Option<f64>,
}

#[derive(Default)]
struct Drawing {
    body: String,
    y: f64,
}

impl Drawing {
    fn text(&mut self, size: f64, weight: &str, text: &str) {
        self.y += size + 8.0;
        let (y, text) = (self.y, escape(text));
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.body,
            r#"<text x="16" y="{y}" font-size="{size}" font-weight="{weight}">{text}</text>"#
        );
    }

    fn legend(&mut self, impact: &Impact) {
        self.y += GAP;
        let mut x = 16.0;
        for (name, colour) in CLASSES {
            let Some(class) = impact.classes.get(name) else {
                continue;
            };
            let (top, base, right, pods) = (self.y, self.y + 11.0, x + 18.0, class.pods);
            let _ = writeln!(
                self.body,
                r#"<rect x="{x}" y="{top}" width="12" height="12" fill="{colour}"/><text x="{right}" y="{base}">{name}, {pods} pods</text>"#
            );
            x += 180.0;
        }
        self.y += LINE;
    }

    /// Bars of one measure, on a scale of its own.
    fn group(&mut self, title: &str, unit: &str, bars: &[Bar]) {
        if bars.is_empty() {
            return;
        }
        self.y += GAP;
        let most = bars.iter().filter_map(|bar| bar.value).fold(0.0, f64::max);
        let base = self.y + 13.0;
        if bars.iter().all(|bar| bar.label.is_empty()) {
            let _ = writeln!(self.body, r#"<text x="16" y="{base}">{title}</text>"#);
        }
        for bar in bars {
            let (top, base) = (self.y, self.y + 13.0);
            if !bar.label.is_empty() {
                let label = escape(&format!("{title}, {}", bar.label));
                let _ = writeln!(self.body, r#"<text x="16" y="{base}">{label}</text>"#);
            }
            let share = match bar.value {
                Some(value) if most > 0.0 => value / most,
                _ => 0.0,
            };
            let width = (BAR * share).max(1.0);
            let shown = bar.value.map_or_else(|| "not known".to_owned(), number);
            let unit = bar.value.map_or("", |_| unit);
            let (colour, right) = (bar.colour, LEFT + width + 6.0);
            let _ = writeln!(
                self.body,
                r#"<rect x="{LEFT}" y="{top}" width="{width:.1}" height="14" fill="{colour}"/><text x="{right:.1}" y="{base}">{shown}{unit}</text>"#
            );
            self.y += LINE;
        }
    }

    fn finish(self) -> String {
        let height = self.y + GAP;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{}</svg>\n",
            self.body
        )
    }
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kcluster_matrix::impact::NodeGap;

    #[test]
    fn every_class_measure_and_node_is_drawn_to_scale() {
        let class = |restarts, lost| ClassImpact {
            pods: 3,
            restarts,
            connections: lost,
            connections_lost: lost,
            ..ClassImpact::default()
        };
        let impact = Impact {
            classes: [
                ("Guaranteed".to_owned(), class(1, Some(0))),
                ("BestEffort".to_owned(), class(4, None)),
            ]
            .into(),
            pods: Vec::new(),
            nodes: vec![NodeGap {
                node: "<a&b>".into(),
                lease_gap_seconds: Some(12.5),
            }],
        };
        let svg = chart("\u{1b}[31mx", &impact);
        let document = roxmltree::Document::parse(&svg).unwrap();
        let texts: Vec<&str> = document
            .descendants()
            .filter(|node| node.has_tag_name("text"))
            .filter_map(|node| node.text())
            .collect();
        for (title, _) in MEASURES {
            assert!(texts.contains(&title), "{title}: {texts:?}");
        }
        assert!(texts.contains(&"lease gap, <a&b>"), "{texts:?}");
        assert!(texts.contains(&"12.5 s") && texts.contains(&"not known"));
        let widths: Vec<f64> = document
            .descendants()
            .filter(|node| node.attribute("height") == Some("14"))
            .filter_map(|node| node.attribute("width")?.parse().ok())
            .collect();
        // Restarts: one and four; below them measures of which there is nothing.
        assert_eq!(widths[..3], [105.0, 420.0, 1.0]);
        assert_eq!(widths.len(), 2 * MEASURES.len() + 1);
    }
}
