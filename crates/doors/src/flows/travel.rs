//! Sending people from one connected meeting to another: who goes, as whom they arrive, and what lets them in.
//! Invariant: a moved person gets a token for the one meeting they are sent to.
//! Next: `salon_core::session`, `connected.rs`, which judges.

use salon_core::session::{PersonView, Refusal, Ticket};
use salon_core::{MeetingId, ParticipantId, PresetId, Session, Timestamp};
use salon_store::{Brought, Meeting, Store};

use crate::flows::failed::Failed;
use crate::flows::tickets;
use crate::ids::fresh_id;
use crate::tokens::Tokens;
use salon_live::Clock;
use salon_live::{Handle, Hub};

/// How long a moved person need not wait at the door, in milliseconds. A client comes within seconds; after that the token
/// is as any other.
const LET_IN_FOR_MS: i64 = 10 * 60_000;

/// When somebody was moved whose token opens the door until then.
pub fn moved_at(let_in_until: Timestamp) -> Timestamp {
    let_in_until.plus_ms(-LET_IN_FOR_MS)
}

/// The handles with which people are moved.
#[derive(Clone)]
pub struct Travel {
    pub hub: Hub,
    pub store: Store,
    pub tokens: Tokens,
    pub clock: Clock,
}

/// Somebody who is to go, and the preset they are to have there, if another than here.
#[derive(Debug, Clone)]
pub struct Departure {
    pub participant: ParticipantId,
    pub preset: Option<PresetId>,
}

/// From where to where.
pub struct Way<'a> {
    pub from: &'a Meeting,
    pub to: &'a Meeting,
    /// Those who go come in without waiting, whatever their presets say.
    pub let_in: bool,
}

/// People who can go, and what lets them in there.
pub struct Party {
    pub people: Vec<PersonView>,
    tickets: Vec<(ParticipantId, Ticket)>,
    to: MeetingId,
}

impl Party {
    /// The others without one of them, and that one alone, if they are among those who go.
    pub fn split(self, one: &ParticipantId) -> (Self, Option<Self>) {
        let (own, others): (Vec<_>, Vec<_>) = self.tickets.into_iter().partition(|(id, _)| id == one);
        let alone = (!own.is_empty()).then(|| Self { people: Vec::new(), tickets: own, to: self.to.clone() });
        (Self { people: self.people, tickets: others, to: self.to }, alone)
    }

    /// Tells them to go.
    pub fn send_on(&self, session: &mut Session, now: Timestamp) {
        session.send_on(now, &self.to, &self.tickets);
    }
}

impl Travel {
    /// Gives people a participant and a token in the meeting they are to go to.
    ///
    /// # Errors
    /// `Refused` if nobody can go there, or nobody from here.
    pub async fn prepare(&self, way: &Way<'_>, here: &Handle, people: Vec<Departure>) -> Result<Party, Failed> {
        if !way.to.active {
            return Err(Refusal::MeetingInactive.into());
        }
        let people = self.named_here(way.from, here, people).await?;
        let (ids, to): (Vec<_>, _) = (people.iter().map(|person| person.participant.clone()).collect(), way.to.id.clone());
        let movable = here.call(move |session, now| session.movable(now, &ids, &to)).await??;
        let mut brought = Vec::with_capacity(movable.len());
        for person in &movable {
            // Whoever is being deleted this moment may have no row any more.
            let Some(row) = self.store.participant(&way.from.id, &person.participant).await? else { continue };
            let wanted = people.iter().find(|wanted| wanted.participant == person.participant);
            let preset = wanted.and_then(|wanted| wanted.preset.clone());
            brought.push(Brought { from: row.participant, preset, fresh_id: fresh_id() });
        }
        let now = self.clock.now();
        let there = self.store.bring(&way.to.id, &brought, now).await.map_err(|error| match error {
            salon_store::Error::NotFound => Failed::NoSuchPreset,
            error => error.into(),
        })?;
        let let_in_until = way.let_in.then(|| now.plus_ms(LET_IN_FOR_MS));
        let tickets = brought.iter().zip(&there).map(|(brought, there)| {
            let token = tickets::sign(&self.tokens, there, let_in_until, now);
            (brought.from.id.clone(), Ticket(token))
        });
        Ok(Party { tickets: tickets.collect(), people: movable, to: way.to.id.clone() })
    }

    /// The people as they are called in `from`. A client that moved somebody goes by their old id until it is told of the
    /// new one (seen in web SDK 2.0.2).
    async fn named_here(&self, from: &Meeting, here: &Handle, mut people: Vec<Departure>) -> Result<Vec<Departure>, Failed> {
        let everyone = here.call(|session, _| session.everyone()).await?;
        for person in &mut people {
            if everyone.binary_search(&person.participant).is_err()
                && let Some(stand_in) = self.store.person_in(&from.id, &person.participant).await?
            {
                person.participant = stand_in.id;
            }
        }
        Ok(people)
    }

    /// Those in a deleted meeting go to its parent, and its session ends with the last of them.
    pub async fn send_home(&self, parent: &Meeting, room: &Meeting) -> Result<(), Failed> {
        let Some(here) = self.hub.find(room.id.as_str()) else { return Ok(()) };
        let act = self.way_home(parent, room, &here).await?;
        Ok(here.call(act).await?)
    }

    /// What sends everyone home.
    pub async fn way_home(
        &self,
        parent: &Meeting,
        room: &Meeting,
        here: &Handle,
    ) -> Result<impl FnOnce(&mut Session, Timestamp) + Send + 'static, Failed> {
        let everyone = here.call(|session, _| session.everyone()).await?;
        let people = everyone.into_iter().map(|participant| Departure { participant, preset: None }).collect();
        let way = Way { from: room, to: parent, let_in: true };
        let party = match self.prepare(&way, here, people).await {
            Ok(party) => party,
            // Nobody is in, all are on the way, or the parent takes nobody: then they are put out.
            Err(Failed::Refused(Refusal::UnknownPeer | Refusal::OnTheWay | Refusal::MeetingInactive)) => {
                Party { people: Vec::new(), tickets: Vec::new(), to: parent.id.clone() }
            }
            Err(failed) => return Err(failed),
        };
        Ok(move |session: &mut Session, now| {
            party.send_on(session, now);
            session.close_deleted(now);
        })
    }
}
