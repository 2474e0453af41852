//! Whose place in a meeting's list of sockets goes to one more. Pure.
//! Invariant: nobody goes who is in the session or waits for it, nor anybody for somebody who has as many.
//! Next: `session_task.rs`, which has the list.

use std::cmp::Reverse;
use std::collections::HashMap;

use salon_core::limits::host_places;
use salon_core::{ParticipantId, PeerId};

/// Who has a place.
#[derive(Debug)]
pub(crate) struct Holder<'a> {
    pub peer: &'a PeerId,
    pub participant: &'a ParticipantId,
    /// Those that came later have higher ones.
    pub connection: u64,
    /// Keeps order in the meeting.
    pub is_host: bool,
    /// In the session, or in its waiting room.
    pub is_in: bool,
    /// Whether its socket is there, or may come back to what it had.
    pub has_socket: bool,
}

/// How many places there are.
#[derive(Debug)]
pub(crate) struct Bounds {
    /// For one participant.
    pub per_participant: usize,
    /// For all; some of them are kept for people who keep order.
    pub in_all: usize,
}

/// All places are taken, by people who have a right to them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Finds a place for one more socket of `newcomer`; answers with whoever gives up its own.
pub(crate) fn place<'a>(
    newcomer: &ParticipantId,
    is_host: bool,
    held: &[Holder<'a>],
    bounds: &Bounds,
) -> Result<Option<&'a PeerId>, Full> {
    let mut has: HashMap<&ParticipantId, usize> = HashMap::new();
    held.iter().for_each(|holder| *has.entry(holder.participant).or_default() += 1);
    let own = has.get(newcomer).copied().unwrap_or(0);
    let hosts = held.iter().filter(|holder| holder.is_host).count();
    let kept = if is_host { 0 } else { host_places(bounds.in_all).saturating_sub(hosts) };
    if own < bounds.per_participant && held.len() + kept < bounds.in_all {
        return Ok(None);
    }
    let only_its_own = own >= bounds.per_participant;
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
                is_host: false,
                is_in: who.starts_with(char::is_uppercase),
                has_socket: !who.ends_with('-'),
            })
            .collect();
        let bounds = Bounds { per_participant: 3, in_all: 5 };
        let found = place(&id(newcomer), false, &holders, &bounds);
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

    #[test]
    fn some_places_are_kept_for_people_who_keep_order() {
        let ids: Vec<_> = (0..20).map(|n| n.to_string()).collect();
        let (participants, peers): (Vec<_>, Vec<_>) =
            ids.iter().map(|id| (ParticipantId::parse(id).unwrap(), PeerId::parse(id).unwrap())).unzip();
        let held = |hosts: usize, all: usize| -> Vec<_> {
            let people = participants.iter().zip(&peers).take(all).enumerate();
            let holder = |(n, (participant, peer))| Holder {
                peer,
                participant,
                connection: n as u64,
                is_host: n < hosts,
                is_in: true,
                has_socket: true,
            };
            people.map(holder).collect()
        };
        let comes = |is_host, held: &[Holder<'_>]| {
            let bounds = Bounds { per_participant: 3, in_all: 20 };
            place(&ParticipantId::parse("new").unwrap(), is_host, held, &bounds).map(|goes| goes.is_some())
        };
        assert_eq!(comes(false, &held(0, 17)), Ok(false));
        assert_eq!(comes(false, &held(0, 18)), Err(Full), "two of twenty are kept");
        assert_eq!(comes(true, &held(0, 18)), Ok(false), "for her");
        assert_eq!(comes(false, &held(1, 18)), Ok(false), "and one host is there");
        assert_eq!(comes(true, &held(1, 19)), Ok(false));
        assert_eq!(comes(true, &held(2, 20)), Err(Full));
    }
}
