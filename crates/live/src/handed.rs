//! Sessions from one process to the next: what is beside their records, as text, and where the next finds it.
//! Invariant: what cannot be read is as if nothing had come along, and people come back by themselves.
//! Next: `session_task.rs` packs, `adopt.rs` goes on.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use salon_core::session::{Carried, Standing, WaitingView};
use salon_core::{MeetingId, ParticipantId, PeerId, Timestamp, TrackId};
use serde_json::{Value, json};

/// What sessions are packed as.
pub const SESSION: &str = "session";

/// A session of another process.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Handed {
    /// None of a meeting in which none is live: people wait in it.
    pub carried: Option<Carried>,
    /// How those connections stand that have asked for anything.
    pub standings: HashMap<PeerId, Standing>,
}

/// The sessions that another process handed over.
#[derive(Default)]
pub struct AllHanded(Mutex<HashMap<MeetingId, Handed>>);

impl AllHanded {
    /// Of these notes.
    pub fn read<'a>(notes: impl Iterator<Item = &'a str>) -> Self {
        Self(Mutex::new(notes.filter_map(read).collect()))
    }

    fn all(&self) -> MutexGuard<'_, HashMap<MeetingId, Handed>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn carried(&self, meeting: &MeetingId) -> Option<Carried> {
        self.all().get_mut(meeting)?.carried.take()
    }

    pub(crate) fn standing(&self, meeting: &MeetingId, peer: &PeerId) -> Option<Standing> {
        self.all().get_mut(meeting)?.standings.remove(peer)
    }

    /// All of them have gone on.
    pub(crate) fn meetings(&self) -> Vec<MeetingId> {
        std::mem::take(&mut *self.all()).into_keys().collect()
    }
}

/// A session, as a note.
pub(crate) fn note(meeting: &MeetingId, handed: &Handed) -> String {
    let at = |at: &Option<Timestamp>| at.map(|at| at.0);
    let peers = |peers: &[PeerId]| peers.iter().map(PeerId::to_string).collect::<Vec<_>>();
    let carried = handed.carried.as_ref().map(|carried| {
        let leftovers = carried.leftovers.iter().map(|(peer, until, tracks)| {
            json!([peer.to_string(), until.0, tracks.iter().map(TrackId::to_string).collect::<Vec<_>>()])
        });
        json!({
            "spoke": peers(&carried.spoke),
            "former": peers(&carried.former),
            "frontSince": at(&carried.front_since),
            "changedAt": at(&carried.changed_at),
            "frontHeard": carried.front_heard.0,
            "leftovers": leftovers.collect::<Vec<_>>(),
            "grace": carried.grace.iter().map(|(peer, until)| json!([peer.to_string(), until.0])).collect::<Vec<_>>(),
        })
    });
    let standing = |standing: &Standing| match standing {
        Standing::In { media, listed, share_refused, missed_since, sent_to } => json!({
            "media": media,
            "listed": listed,
            "shareRefused": share_refused,
            "missedSince": at(missed_since),
            "sentTo": sent_to.as_ref().map(|(meeting, at)| json!([meeting.to_string(), at.0])),
        }),
        Standing::Waits { place, view, for_a_host } => json!({
            "place": place,
            "forAHost": for_a_host,
            "peer": view.peer.to_string(),
            "participant": view.participant.to_string(),
            "customParticipantId": view.custom_participant_id,
            "name": view.name,
            "picture": view.picture,
            "presetName": view.preset_name,
        }),
    };
    let standings: serde_json::Map<_, _> = handed.standings.iter().map(|(peer, how)| (peer.to_string(), standing(how))).collect();
    json!({ "meeting": meeting.to_string(), "carried": carried, "standings": standings }).to_string()
}

fn read(note: &str) -> Option<(MeetingId, Handed)> {
    let note: Value = serde_json::from_str(note).ok()?;
    let meeting = MeetingId::parse(note["meeting"].as_str()?).ok()?;
    let carried = match &note["carried"] {
        Value::Null => None,
        carried => Some(read_carried(carried)?),
    };
    let standings = note["standings"].as_object()?.iter();
    let standings = standings.map(|(peer, standing)| Some((PeerId::parse(peer).ok()?, read_standing(standing)?)));
    Some((meeting, Handed { carried, standings: standings.collect::<Option<_>>()? }))
}

fn read_carried(value: &Value) -> Option<Carried> {
    Some(Carried {
        spoke: list(&value["spoke"], peer)?,
        former: list(&value["former"], peer)?,
        front_since: value["frontSince"].as_i64().map(Timestamp),
        changed_at: value["changedAt"].as_i64().map(Timestamp),
        front_heard: Timestamp(value["frontHeard"].as_i64()?),
        leftovers: list(&value["leftovers"], |left| {
            let track = |track: &Value| TrackId::parse(track.as_str()?).ok();
            Some((peer(&left[0])?, Timestamp(left[1].as_i64()?), list(&left[2], track)?))
        })?,
        grace: list(&value["grace"], |grace| Some((peer(&grace[0])?, Timestamp(grace[1].as_i64()?))))?,
    })
}

fn read_standing(value: &Value) -> Option<Standing> {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    if let Some(place) = value["place"].as_u64() {
        let view = WaitingView {
            peer: peer(&value["peer"])?,
            participant: ParticipantId::parse(value["participant"].as_str()?).ok()?,
            custom_participant_id: text("customParticipantId")?,
            name: text("name")?,
            picture: text("picture"),
            preset_name: text("presetName")?,
        };
        return Some(Standing::Waits { place, view, for_a_host: value["forAHost"].as_bool()? });
    }
    let sent_to = match &value["sentTo"] {
        Value::Null => None,
        sent => Some((MeetingId::parse(sent[0].as_str()?).ok()?, Timestamp(sent[1].as_i64()?))),
    };
    Some(Standing::In {
        media: value["media"].as_bool()?,
        listed: value["listed"].as_bool()?,
        share_refused: value["shareRefused"].as_bool()?,
        missed_since: value["missedSince"].as_i64().map(Timestamp),
        sent_to,
    })
}

fn peer(value: &Value) -> Option<PeerId> {
    PeerId::parse(value.as_str()?).ok()
}

fn list<T>(value: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    value.as_array()?.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_found_by_the_next_process() {
        let peer = |name: &str| PeerId::parse(name).unwrap();
        let meeting = MeetingId::parse("m").unwrap();
        let view = WaitingView {
            peer: peer("w"),
            participant: ParticipantId::parse("q").unwrap(),
            custom_participant_id: "c".into(),
            name: "Wé \"W\"".into(),
            picture: None,
            preset_name: "guest".into(),
        };
        let carried = Carried {
            spoke: vec![peer("b"), peer("a")],
            former: vec![peer("c")],
            front_since: Some(Timestamp(5)),
            changed_at: None,
            front_heard: Timestamp(-7),
            leftovers: vec![(peer("a"), Timestamp(9), vec![TrackId::parse("t").unwrap()])],
            grace: vec![(peer("c"), Timestamp(99))],
        };
        let sent_to = Some((MeetingId::parse("n").unwrap(), Timestamp(3)));
        let (media, listed, share_refused) = (true, false, true);
        let in_it = Standing::In { media, listed, share_refused, missed_since: Some(Timestamp(1)), sent_to };
        let bare = Standing::In { media: false, listed: true, share_refused: false, missed_since: None, sent_to: None };
        let waits = Standing::Waits { place: 4, view, for_a_host: true };
        let standings = [(peer("a"), in_it), (peer("b"), bare), (peer("w"), waits)].into();
        let handed = Handed { carried: Some(carried), standings };
        assert_eq!(read(&note(&meeting, &handed)), Some((meeting.clone(), handed)));
        let empty = Handed::default();
        assert_eq!(read(&note(&meeting, &empty)), Some((meeting, empty)));
        for spoilt in
            ["", "{}", "{\"meeting\":\"m\",\"carried\":{},\"standings\":{}}", "{\"meeting\":\"m\",\"standings\":{\"a\":{}}}"]
        {
            assert_eq!(read(spoilt), None, "{spoilt}");
        }
    }
}
