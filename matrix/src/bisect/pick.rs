//! Which point to ask about next.

use super::history::{Bits, History};

/// A point that could be asked about, and how evenly it divides.
#[derive(Clone, Copy)]
struct Candidate {
    index: usize,
    /// The smaller of the two parts that an answer may leave.
    balance: usize,
}

/// The best point of `open` to ask about, if any is left that was neither asked about nor is `tip`.
///
/// The line of first parents is where a project's own checks passed, so it comes first, as long as it divides
/// nearly as well as the best point of all; then the insides of merges. After points that could not be told it keeps
/// a distance, which doubles with each: what breaks a build often breaks it for a while.
pub(super) fn pick(history: &History, open: &Bits, tip: usize, untold: &Bits) -> Option<usize> {
    let total = open.count();
    let candidates: Vec<Candidate> = open
        .iter()
        .filter(|index| *index != tip && !untold.has(*index))
        .filter_map(|index| {
            let before = history.before(index)?.common(open);
            Some(Candidate {
                index,
                balance: before.min(total - before),
            })
        })
        .collect();
    let near: Vec<usize> = open.iter().filter(|index| untold.has(*index)).collect();
    let mut distance = match near.len() {
        0 => 0,
        known => (1_usize << (known - 1).min(16)).min(total / 8),
    };
    let mainline = mainline(history, open, tip);
    loop {
        let far = candidates.iter().filter(|candidate| {
            near.iter()
                .all(|other| candidate.index.abs_diff(*other) > distance)
        });
        let far: Vec<Candidate> = far.copied().collect();
        let best = best(&far, |_| true);
        if let Some(best) = best {
            let on_line = self::best(&far, |index| mainline.has(index));
            let line = on_line.filter(|line| line.balance * 8 >= best.balance * 7);
            return Some(line.unwrap_or(best).index);
        }
        if distance == 0 {
            return None;
        }
        distance /= 2;
    }
}

/// The most even one; of equals the latest, which is nearest to what is known to be wanted.
fn best(candidates: &[Candidate], take: impl Fn(usize) -> bool) -> Option<Candidate> {
    candidates
        .iter()
        .filter(|candidate| take(candidate.index))
        .max_by_key(|candidate| (candidate.balance, candidate.index))
        .copied()
}

/// The first parents of `tip`, as far as they are open.
fn mainline(history: &History, open: &Bits, tip: usize) -> Bits {
    let mut line = history.nothing();
    let mut next = Some(tip);
    while let Some(index) = next.filter(|index| open.has(*index)) {
        line.insert(index);
        next = history.first_parent(index);
    }
    line
}
