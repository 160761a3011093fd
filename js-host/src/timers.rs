//! The timers of one run: due times in a heap, what they call in the prelude.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    time::{Duration, Instant},
};

/// Timers by number. A disarmed one leaves its heap entry behind until it comes up.
#[derive(Debug, Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u32)>>,
    armed: HashMap<u32, Armed>,
    last: u32,
}

#[derive(Debug, Clone, Copy)]
struct Armed {
    due: Instant,
    every: Option<Duration>,
}

impl Timers {
    /// Arms a timer; answers its number.
    pub fn arm(&mut self, now: Instant, after: Duration, repeat: bool) -> u32 {
        self.last += 1;
        let due = now + after;
        self.armed.insert(self.last, Armed { due, every: repeat.then_some(after) });
        self.heap.push(Reverse((due, self.last)));
        self.last
    }

    /// Disarms a timer, if it is armed.
    pub fn disarm(&mut self, id: u32) {
        self.armed.remove(&id);
        if self.heap.len() > 64 && self.heap.len() > self.armed.len() * 2 {
            self.heap.retain(|Reverse((due, id))| self.armed.get(id).is_some_and(|armed| armed.due == *due));
        }
    }

    /// How many are armed.
    pub fn count(&self) -> usize {
        self.armed.len()
    }

    /// When the next one is due.
    pub fn next_due(&mut self) -> Option<Instant> {
        while let Some(Reverse((due, id))) = self.heap.peek().copied() {
            if self.armed.get(&id).is_some_and(|armed| armed.due == due) {
                return Some(due);
            }
            self.heap.pop();
        }
        None
    }

    /// Takes the next timer that is due by `now`; a repeating one is armed again, from now on.
    pub fn take_due(&mut self, now: Instant) -> Option<u32> {
        if self.next_due()? > now {
            return None;
        }
        let Reverse((_, id)) = self.heap.pop()?;
        let armed = self.armed.get_mut(&id)?;
        match armed.every {
            Some(every) => {
                armed.due = now + every;
                self.heap.push(Reverse((armed.due, id)));
            }
            None => {
                self.armed.remove(&id);
            }
        }
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_up_in_the_order_they_are_due_and_equal_ones_as_they_were_armed() {
        let now = Instant::now();
        let mut timers = Timers::default();
        let [late, first, second] =
            [20, 10, 10].map(|due| timers.arm(now, Duration::from_millis(due), false));
        assert_eq!(timers.take_due(now), None);
        let then = [(); 4].map(|()| timers.take_due(now + Duration::from_millis(30)));
        assert_eq!(then, [Some(first), Some(second), Some(late), None]);
    }

    #[test]
    fn a_repeating_timer_does_not_catch_up() {
        let now = Instant::now();
        let mut timers = Timers::default();
        let one = timers.arm(now, Duration::from_millis(10), true);
        let late = now + Duration::from_millis(95);
        assert_eq!(timers.take_due(late), Some(one));
        assert_eq!(timers.take_due(late), None);
        assert_eq!(timers.next_due(), Some(late + Duration::from_millis(10)));
    }

    #[test]
    fn a_disarmed_timer_neither_comes_up_nor_takes_room() {
        let now = Instant::now();
        let mut timers = Timers::default();
        for _ in 0..10_000 {
            let id = timers.arm(now, Duration::from_millis(1), true);
            timers.disarm(id);
        }
        assert!(timers.heap.len() <= 65, "{}", timers.heap.len());
        assert_eq!(timers.take_due(now + Duration::from_millis(5)), None);
    }
}
