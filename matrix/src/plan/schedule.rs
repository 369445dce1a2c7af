//! Which cell runs where, and when: a state machine without a clock.

use std::collections::{BTreeMap, BTreeSet};

use super::estimate::Demand;

/// An engine that cells run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carrier {
    /// Its machine; engines of one machine share what it has.
    pub machine: String,
    /// What the machine has.
    pub capacity: Demand,
}

/// See the module. Cells and carriers are known by their place in the lists given at first.
#[derive(Debug, Clone)]
pub struct Schedule {
    demands: Vec<Demand>,
    carriers: Vec<Carrier>,
    lost: Vec<bool>,
    waiting: Vec<usize>,
    running: BTreeMap<usize, usize>,
    most: usize,
}

impl Schedule {
    /// Cells with these demands in this order, at most `most` at a time.
    #[must_use]
    pub fn new(demands: Vec<Demand>, carriers: Vec<Carrier>, most: Option<usize>) -> Self {
        Self {
            waiting: (0..demands.len()).collect(),
            lost: vec![false; carriers.len()],
            demands,
            carriers,
            running: BTreeMap::new(),
            most: most.unwrap_or(usize::MAX).max(1),
        }
    }

    /// The next cell that can start now, and the carrier it starts on. On a machine that runs nothing any cell
    /// starts: smaller machines are slow, they do not refuse.
    pub fn start(&mut self) -> Option<(usize, usize)> {
        if self.running.len() >= self.most {
            return None;
        }
        let found = self.waiting.iter().enumerate().find_map(|(place, cell)| {
            let carrier = self.best(*cell)?;
            Some((place, *cell, carrier))
        });
        let (place, cell, carrier) = found?;
        self.waiting.remove(place);
        self.running.insert(cell, carrier);
        Some((cell, carrier))
    }

    /// The carrier that has most room for the cell, if any has enough.
    fn best(&self, cell: usize) -> Option<usize> {
        let demand = *self.demands.get(cell)?;
        let room = |index: &usize| {
            let carrier = &self.carriers[*index];
            let (count, used) = self.used(&carrier.machine);
            !self.lost[*index] && (count == 0 || used.plus(demand).within(carrier.capacity))
        };
        let load = |index: &usize| {
            let carrier = &self.carriers[*index];
            let (_, used) = self.used(&carrier.machine);
            let own = self.running.values().filter(|on| *on == index).count();
            // Thousandths of the machine's processors, then how many run on this very engine.
            let share = used.millicores * 1000 / carrier.capacity.millicores.max(1);
            (share, own, *index)
        };
        (0..self.carriers.len()).filter(room).min_by_key(load)
    }

    fn used(&self, machine: &str) -> (usize, Demand) {
        let here = self.running.iter().filter(|(_, carrier)| {
            self.carriers
                .get(**carrier)
                .is_some_and(|carrier| carrier.machine == machine)
        });
        here.fold((0, Demand::default()), |(count, used), (cell, _)| {
            (count + 1, used.plus(self.demands[*cell]))
        })
    }

    /// The cell is over, whatever its verdict.
    pub fn finish(&mut self, cell: usize) {
        self.running.remove(&cell);
    }

    /// The cell needs not run: it has a verdict from before.
    pub fn done(&mut self, cell: usize) {
        self.waiting.retain(|waiting| *waiting != cell);
    }

    /// The carrier is lost: nothing starts on it any more. The cells that ran on it, which are over.
    pub fn lose(&mut self, carrier: usize) -> Vec<usize> {
        if let Some(lost) = self.lost.get_mut(carrier) {
            *lost = true;
        }
        let on = |(cell, at): (&usize, &usize)| (*at == carrier).then_some(*cell);
        let cells: Vec<usize> = self.running.iter().filter_map(on).collect();
        self.running.retain(|_, at| *at != carrier);
        cells
    }

    /// Runs the cell again, before all that still wait.
    pub fn again(&mut self, cell: usize) {
        if !self.waiting.contains(&cell) && !self.running.contains_key(&cell) {
            self.waiting.insert(0, cell);
        }
    }

    /// Cells that have not begun.
    #[must_use]
    pub fn waiting(&self) -> &[usize] {
        &self.waiting
    }

    /// Whether any carrier is left.
    #[must_use]
    pub fn carried(&self) -> bool {
        self.lost.iter().any(|lost| !lost)
    }

    /// Seconds until the last cell ends, and how many run at once at most, if each takes what `seconds` says.
    #[must_use]
    pub fn foresee(&self, seconds: &[u64]) -> (u64, usize) {
        let mut dry = self.clone();
        let mut ends: BTreeSet<(u64, usize)> = BTreeSet::new();
        let (mut now, mut most) = (0, 0);
        loop {
            while let Some((cell, _)) = dry.start() {
                let took = seconds.get(cell).copied().unwrap_or(0);
                ends.insert((now + took, cell));
                most = most.max(ends.len());
            }
            let Some((end, cell)) = ends.pop_first() else {
                return (now, most);
            };
            now = end;
            dry.finish(cell);
        }
    }
}
