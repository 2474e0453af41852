//! Packets in the order in which they were sent: what comes early waits, what does not come in time is missing.
//! Pure: told the time, in milliseconds of any clock. Invariant: bounded, whatever numbers a stream has.
//! Next: `tracks.rs` and `composite.rs`, which take what comes out.

use std::collections::BTreeMap;

/// Packets that wait at most; then the oldest gap is given up.
const WAITING: usize = 512;

/// A number this far from those before is of another beginning.
const ANOTHER: u64 = 5_000;

/// The packets of one stream.
#[derive(Debug)]
pub struct Order<T> {
    /// How long a packet that came is held for one before it, in milliseconds.
    patience: u64,
    /// The number that comes next, once the first has been handed out.
    next: Option<u64>,
    waiting: BTreeMap<u64, (u64, T)>,
}

impl<T> Order<T> {
    pub fn new(patience: u64) -> Self {
        Self { patience, next: None, waiting: BTreeMap::new() }
    }

    /// Takes a packet with its number, roll-overs counted.
    pub fn push(&mut self, now: u64, number: u64, packet: T) {
        match self.next {
            Some(next) if number.abs_diff(next) > ANOTHER => {
                self.waiting.clear();
                self.next = Some(number);
            }
            Some(next) if number < next => return,
            _ => {}
        }
        self.waiting.entry(number).or_insert((now, packet));
    }

    /// The next packet, and whether some before it are missing; None if it is still waited for.
    ///
    /// Until the first one is handed out, one with a lower number moves the beginning back.
    pub fn pop(&mut self, now: u64) -> Option<(T, bool)> {
        let (number, (came, _)) = self.waiting.first_key_value()?;
        let is_next = self.next == Some(*number);
        if !is_next && self.waiting.len() < WAITING && now < came + self.patience {
            return None;
        }
        let missing = !is_next && self.next.is_some();
        let (number, (_, packet)) = self.waiting.pop_first()?;
        self.next = Some(number + 1);
        Some((packet, missing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn popped(order: &mut Order<u64>, now: u64) -> Vec<(u64, bool)> {
        std::iter::from_fn(|| order.pop(now)).collect()
    }

    #[test]
    fn the_first_packets_may_come_out_of_order() {
        let mut order = Order::new(60);
        order.push(0, 11, 11);
        order.push(5, 10, 10);
        assert_eq!(popped(&mut order, 6), []);
        assert_eq!(popped(&mut order, 65), [(10, false), (11, false)]);
    }

    #[test]
    fn what_is_late_is_waited_for_and_then_missing() {
        let mut order = Order::new(60);
        order.push(0, 1, 1);
        assert_eq!(popped(&mut order, 60), [(1, false)]);
        order.push(70, 3, 3);
        assert_eq!(popped(&mut order, 80), []);
        order.push(90, 2, 2);
        order.push(90, 2, 2);
        assert_eq!(popped(&mut order, 90), [(2, false), (3, false)]);
        order.push(100, 6, 6);
        assert_eq!(popped(&mut order, 160), [(6, true)]);
        order.push(170, 5, 5);
        assert_eq!(popped(&mut order, 1_000), [], "too late");
    }

    #[test]
    fn any_numbers_are_taken_and_few_are_kept() {
        let mut order = Order::new(u64::MAX / 2);
        order.push(0, 0, 0);
        for number in (2..4_000).step_by(2) {
            order.push(0, number, number);
            while order.pop(0).is_some() {}
        }
        assert!(order.waiting.len() <= WAITING);
        order.push(0, u64::MAX - 1, 7);
        assert_eq!(popped(&mut order, 0), [(7, false)], "another beginning");
    }
}
