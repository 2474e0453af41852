//! Whether whoever is at an address wants what we send there (RFC 7675): it is asked with a number that only it gets to see,
//! and again every few seconds. A client can sign checks and seal reports, and write any address on them.
//! Invariant: where nobody has agreed, no more goes than `UNASKED_TIMES` what came from there, questions included.
//! Nothing is asked by the clock, only when something comes from there.

use std::time::{Duration, Instant};

use aws_lc_rs::rand;

use crate::engine::address::Address;
use crate::limits::{CONSENT_ADDRESSES, CONSENT_AGAIN, CONSENT_EVERY, CONSENT_LASTS, UNASKED_TIMES};

/// What tells one question from another.
pub(crate) type Transaction = [u8; 12];

/// How long the answer that another process had is good for: browsers send at least a check every few seconds, and then it is
/// asked anew.
const TRUSTED_FOR: Duration = Duration::from_secs(6);

#[derive(Debug, Default)]
pub(crate) struct Consent {
    /// Those heard of lately, the newest last.
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    address: Address,
    question: Option<Question>,
    agreed_at: Option<Instant>,
    /// Bytes from there and to there, while it had not agreed.
    came: usize,
    went: usize,
}

/// The last one. It keeps its number when it is asked again, as the answer may be to an earlier time.
#[derive(Clone, Copy, Debug)]
struct Question {
    transaction: Transaction,
    asked_at: Instant,
    answered: bool,
}

impl Consent {
    /// Something came from there. The number to ask with, in a question of so many bytes, if it is time to ask.
    pub(crate) fn came(&mut self, now: Instant, from: Address, bytes: usize, question: usize) -> Option<Transaction> {
        if matches!(from, Address::Tcp(_)) {
            return None;
        }
        let at = self.places.iter().rposition(|place| place.address == from).unwrap_or_else(|| self.add(now, from));
        let place = &mut self.places[at];
        let agrees = place.agrees(now);
        if !agrees {
            place.came += bytes;
        }
        let pause = match place.question {
            None => Duration::ZERO,
            Some(Question { answered: true, .. }) => CONSENT_EVERY,
            Some(_) if agrees => CONSENT_EVERY / 8,
            Some(_) => CONSENT_AGAIN,
        };
        let asked_lately = place.question.is_some_and(|q| now.saturating_duration_since(q.asked_at) < pause);
        if asked_lately || !place.takes(now, question) {
            return None;
        }
        let transaction = match place.question {
            Some(Question { transaction, answered: false, .. }) => transaction,
            _ => random()?,
        };
        place.question = Some(Question { transaction, asked_at: now, answered: false });
        Some(transaction)
    }

    /// An answer came from there. None if it is to no question of ours; else whether it is news that it agrees.
    pub(crate) fn answered(&mut self, now: Instant, from: Address, transaction: Transaction) -> Option<bool> {
        let place = self.places.iter_mut().find(|place| place.address == from)?;
        let question = place.question.as_mut().filter(|q| q.transaction == transaction && !q.answered)?;
        question.answered = true;
        let news = !place.agrees(now);
        place.agreed_at = Some(now);
        (place.came, place.went) = (0, 0);
        Some(news)
    }

    /// Another process had its answer, not long ago. It is asked again when something comes from there.
    pub(crate) fn trust(&mut self, now: Instant, address: Address) {
        let at = self.add(now, address);
        self.places[at].agreed_at = now.checked_sub(CONSENT_LASTS - TRUSTED_FOR).or(Some(now));
    }

    /// Whether media may go there. TCP has proven its address itself.
    pub(crate) fn agrees(&self, now: Instant, to: Address) -> bool {
        matches!(to, Address::Tcp(_)) || self.places.iter().rev().any(|place| place.address == to && place.agrees(now))
    }

    /// Whether so many bytes may go there now. They are counted if so.
    pub(crate) fn take(&mut self, now: Instant, to: Address, bytes: usize) -> bool {
        let place = self.places.iter_mut().rfind(|place| place.address == to);
        matches!(to, Address::Tcp(_)) || place.is_some_and(|place| place.takes(now, bytes))
    }

    /// A place for an address; the oldest that has not agreed goes if there are too many.
    fn add(&mut self, now: Instant, address: Address) -> usize {
        if self.places.len() >= CONSENT_ADDRESSES {
            let oldest = self.places.iter().position(|place| !place.agrees(now)).unwrap_or(0);
            self.places.remove(oldest);
        }
        self.places.push(Place { address, question: None, agreed_at: None, came: 0, went: 0 });
        self.places.len() - 1
    }
}

impl Place {
    fn agrees(&self, now: Instant) -> bool {
        self.agreed_at.is_some_and(|at| now.saturating_duration_since(at) < CONSENT_LASTS)
    }

    fn takes(&mut self, now: Instant, bytes: usize) -> bool {
        let fits = self.agrees(now) || self.went + bytes <= self.came.saturating_mul(UNASKED_TIMES);
        if fits && !self.agrees(now) {
            self.went += bytes;
        }
        fits
    }
}

fn random() -> Option<Transaction> {
    let mut transaction = Transaction::default();
    rand::fill(&mut transaction).ok()?;
    Some(transaction)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: usize = 100;

    fn place(n: u8) -> Address {
        Address::Udp(([192, 0, 2, n], 9).into())
    }

    #[test]
    fn whoever_does_not_answer_gets_no_media_and_little_else() {
        let start = Instant::now();
        let mut consent = Consent::default();
        assert!(!consent.take(start, place(1), 1), "nothing came from there");
        let (mut came, mut went) = (0, 0);
        for ms in 0..60_000 {
            let now = start + Duration::from_millis(ms);
            came += 10;
            went += consent.came(now, place(1), 10, QUESTION).map_or(0, |_| QUESTION);
            went += if consent.take(now, place(1), 500) { 500 } else { 0 };
            assert!(!consent.agrees(now, place(1)));
            assert!(went <= UNASKED_TIMES * came, "{went} after {came}");
        }
    }

    #[test]
    fn who_answers_is_asked_again_and_agrees_for_a_while() {
        let start = Instant::now();
        let mut consent = Consent::default();
        let first = consent.came(start, place(1), 100, QUESTION).expect("a question");
        assert_eq!(consent.came(start, place(1), 100, QUESTION), None, "one is on its way");
        assert_eq!(consent.answered(start, place(2), first), None, "from elsewhere");
        assert_eq!(consent.answered(start, place(1), [0; 12]), None, "a guess");
        assert_eq!(consent.answered(start, place(1), first), Some(true));
        assert!(consent.agrees(start, place(1)) && consent.take(start, place(1), 1 << 20));
        assert_eq!(consent.came(start + CONSENT_EVERY / 2, place(1), 100, QUESTION), None);
        let later = start + CONSENT_EVERY;
        let second = consent.came(later, place(1), 100, QUESTION).expect("asked again");
        assert_ne!(first, second);
        assert_eq!(consent.came(later + CONSENT_EVERY / 8, place(1), 100, QUESTION), Some(second), "the same once more");
        assert_eq!(consent.answered(later, place(1), first), None, "that was answered");
        assert!(consent.agrees(start + CONSENT_LASTS - CONSENT_AGAIN, place(1)));
        assert!(!consent.agrees(start + CONSENT_LASTS, place(1)), "it has not answered since");
    }

    #[test]
    fn addresses_that_do_not_answer_do_not_push_out_one_that_does() {
        let now = Instant::now();
        let mut consent = Consent::default();
        let asked = consent.came(now, place(1), 100, QUESTION).expect("a question");
        consent.answered(now, place(1), asked);
        for n in 2..200 {
            consent.came(now, place(n), 100, QUESTION);
        }
        assert!(consent.agrees(now, place(1)) && consent.places.len() <= CONSENT_ADDRESSES);
    }
}
