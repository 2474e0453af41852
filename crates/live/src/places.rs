//! Whose place in a meeting's list of sockets goes to one more. Pure.
//! Invariant: nobody goes who is in the session or waits for it, nor anybody for somebody who has as many.
//! Next: `session_task.rs`, which has the list.

use std::cmp::Reverse;
use std::collections::HashMap;

use salon_core::{ParticipantId, PeerId};

/// Who has a place.
#[derive(Debug)]
pub(crate) struct Holder<'a> {
    pub peer: &'a PeerId,
    pub participant: &'a ParticipantId,
    /// Those that came later have higher ones.
    pub connection: u64,
    /// In the session, or in its waiting room.
    pub is_in: bool,
    /// Whether its socket is there, or may come back to what it had.
    pub has_socket: bool,
}

/// All places are taken, by people who have a right to them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Finds a place for one more socket of `newcomer`; answers with whoever gives up its own.
pub(crate) fn place<'a>(
    newcomer: &ParticipantId,
    held: &[Holder<'a>],
    per_participant: usize,
    in_all: usize,
) -> Result<Option<&'a PeerId>, Full> {
    let mut has: HashMap<&ParticipantId, usize> = HashMap::new();
    held.iter().for_each(|holder| *has.entry(holder.participant).or_default() += 1);
    let own = has.get(newcomer).copied().unwrap_or(0);
    if own < per_participant && held.len() < in_all {
        return Ok(None);
    }
    let only_its_own = own >= per_participant;
    let may_go = |holder: &&Holder<'_>| match holder.participant == newcomer {
        true => !holder.is_in && !holder.has_socket,
        false => !holder.is_in && !only_its_own && has[holder.participant] > own + 1,
    };
    let rank = |holder: &&Holder<'_>| (holder.has_socket, Reverse(has[holder.participant]), holder.connection);
    held.iter().filter(may_go).min_by_key(rank).map(|holder| Some(holder.peer)).ok_or(Full)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each is a participant, in capitals if it is in; with a `-` if its socket is gone. Its peer is its number.
    fn check(held: &[&str], newcomer: &str, expected: Result<Option<usize>, Full>) {
        let id = |text: &str| ParticipantId::parse(&text.trim_end_matches('-').to_lowercase()).unwrap();
        let participants: Vec<_> = held.iter().map(|who| id(who)).collect();
        let peers: Vec<_> = (0..held.len()).map(|n| PeerId::parse(&n.to_string()).unwrap()).collect();
        let holders: Vec<_> = held
            .iter()
            .enumerate()
            .map(|(n, who)| Holder {
                peer: &peers[n],
                participant: &participants[n],
                connection: n as u64,
                is_in: who.starts_with(char::is_uppercase),
                has_socket: !who.ends_with('-'),
            })
            .collect();
        let found = place(&id(newcomer), &holders, 3, 5);
        assert_eq!(found, expected.map(|peer| peer.map(|n| &peers[n])), "{newcomer} comes to {held:?}");
    }

    #[test]
    fn one_participant_takes_its_own_part_only() {
        check(&["m", "m"], "m", Ok(None));
        check(&["m", "m", "m"], "m", Err(Full));
        check(&["m", "m", "m"], "a", Ok(None));
        check(&["m", "m-", "m"], "m", Ok(Some(1)));
        check(&["m", "M-", "m"], "m", Err(Full));
        check(&["b", "b-", "m", "M", "m"], "m", Err(Full));
    }

    #[test]
    fn whoever_has_most_and_has_not_joined_makes_room_for_others() {
        check(&["m", "m", "m", "b", "b"], "a", Ok(Some(0)));
        check(&["M", "m", "m-", "b", "b"], "a", Ok(Some(2)));
        check(&["b", "b", "m", "m", "M"], "a", Ok(Some(2)));
        check(&["M", "M", "M", "b", "c"], "a", Err(Full));
        check(&["b", "c", "d", "e", "f"], "a", Err(Full));
        check(&["b", "b", "a", "c", "d"], "a", Err(Full));
    }
}
