//! What is asked of people's connections, wherever they are: of one that is here the media server, of another the node that has
//! it. Whoever asks does not notice the difference.
//! Next: `../away.rs` knows which are where, `../spread.rs` has the ways to other nodes.

use std::time::Duration;

use salon_core::MeetingId;
use salon_sfu::{Consume, Consumed, Error, Produce, ProducerId, RoomId, TransportId};

use super::Owners;
use crate::spread::{Answer, Ask, HELD_FOR, Home, Link, Refusal};

/// Two nodes find out within this time of each other that a third is gone.
const FOUND_OUT_WITHIN: Duration = Duration::from_millis(2_500);

impl Owners {
    /// The way to the node that has a connection, if it is not here.
    pub(crate) fn is_away(&self, transport: &TransportId) -> Option<Link> {
        self.away.as_ref()?.of(transport)
    }

    /// As [`salon_sfu::Sfu::consume`], of what comes in of a meeting wherever it does.
    ///
    /// # Errors
    /// As there.
    pub async fn consume(&self, meeting: &MeetingId, transport: TransportId, wanted: Vec<Consume>) -> Result<Consumed, Error> {
        let Some(away) = &self.away else { return self.sfu.consume(transport, wanted).await };
        let home = |producer: &ProducerId| self.is_away(&self.transport_of(producer)?);
        let Some(link) = self.is_away(&transport) else {
            let mut homes: Vec<(Link, Vec<ProducerId>)> = Vec::new();
            for Consume { producer, .. } in &wanted {
                let Some(home) = home(producer) else { continue };
                match homes.iter_mut().find(|(known, _)| known.is(&home)) {
                    Some((_, producers)) => producers.push(producer.clone()),
                    None => homes.push((home, vec![producer.clone()])),
                }
            }
            for (home, producers) in homes {
                // What is lost with its node is not found.
                let _ = home.watch(producers, &RoomId::from(meeting.as_str())).await;
            }
            return self.sfu.consume(transport, wanted).await;
        };
        let from = wanted.iter().filter_map(|Consume { producer, .. }| {
            self.transport_of(producer)?;
            match home(producer) {
                None => Some((producer.clone(), Home::Asker)),
                Some(home) if home.is(&link) => None,
                Some(home) => Some((producer.clone(), Home::At(home.address().to_owned()))),
            }
        });
        let from = from.collect();
        match link.ask(Ask::Consume { transport: transport.clone(), wanted, from }).await {
            Ok(Answer::Consumed(consumed)) => Ok(consumed),
            Err(Refusal::Media(error)) => Err(error),
            // That node does not reach another: the client makes a new connection, which will be here.
            Ok(_) | Err(Refusal::CutOff) => {
                away.is_unfit(&link);
                link.tell(Ask::CloseTransport { transport: transport.clone() });
                self.transport_closed(&transport).await;
                Err(Error::UnknownTransport)
            }
        }
    }

    /// As [`salon_sfu::Sfu::accept_answer`].
    ///
    /// # Errors
    /// As there.
    pub async fn accept_answer(&self, transport: TransportId, answer: String) -> Result<(), Error> {
        match self.is_away(&transport) {
            None => self.sfu.accept_answer(transport, answer).await,
            Some(link) => link.ask(Ask::AcceptAnswer { transport, answer }).await.map(drop).map_err(Refusal::error),
        }
    }

    /// As [`salon_sfu::Sfu::close_consumers`].
    ///
    /// # Errors
    /// As there.
    pub async fn close_consumers(&self, transport: TransportId, mids: Vec<String>, offer: String) -> Result<String, Error> {
        match self.is_away(&transport) {
            None => self.sfu.close_consumers(transport, mids, offer).await,
            Some(link) => {
                let closed = link.ask(Ask::CloseConsumers { transport, mids, offer }).await;
                closed.and_then(Refusal::sdp).map_err(Refusal::error)
            }
        }
    }

    /// As [`salon_sfu::Sfu::set_layer`].
    ///
    /// # Errors
    /// As there.
    pub async fn set_layer(
        &self,
        transport: TransportId,
        producer: ProducerId,
        mid: Option<String>,
        rid: String,
    ) -> Result<(), Error> {
        match self.is_away(&transport) {
            None => self.sfu.set_layer(transport, producer, mid, rid).await,
            Some(link) => link.ask(Ask::SetLayer { transport, producer, mid, rid }).await.map(drop).map_err(Refusal::error),
        }
    }

    /// As [`salon_sfu::Sfu::close_producer`].
    ///
    /// # Errors
    /// As there.
    pub async fn close_producer(
        &self,
        transport: TransportId,
        producer: ProducerId,
        offer: Option<String>,
    ) -> Result<Option<String>, Error> {
        let Some(link) = self.is_away(&transport) else {
            return self.sfu.close_producer(transport, producer, offer).await;
        };
        match link.ask(Ask::CloseProducer { transport, producer, offer }).await {
            Ok(Answer::MaybeSdp(sdp)) => Ok(sdp),
            Ok(_) => Ok(None),
            Err(refusal) => Err(refusal.error()),
        }
    }

    pub(crate) async fn take_in(&self, produce: Produce) -> Result<String, Error> {
        match self.is_away(&produce.transport) {
            None => self.sfu.produce(produce).await,
            Some(link) => link.ask(Ask::Produce(Box::new(produce))).await.and_then(Refusal::sdp).map_err(Refusal::error),
        }
    }

    pub(crate) async fn quiet_for(&self, transport: &TransportId) -> Result<Duration, Error> {
        let Some(link) = self.is_away(transport) else { return self.sfu.quiet_for(transport).await };
        match link.ask(Ask::QuietFor { transport: transport.clone() }).await {
            Ok(Answer::QuietFor(quiet)) => Ok(quiet),
            Ok(_) => Err(Error::UnknownTransport),
            Err(refusal) => Err(refusal.error()),
        }
    }

    /// Ends a track that comes in on a connection.
    pub(crate) fn end(&self, transport: TransportId, producer: ProducerId) {
        match self.is_away(&transport) {
            None => self.sfu.drop_producer(transport, producer),
            Some(link) => link.tell(Ask::CloseProducer { transport, producer, offer: None }),
        }
    }

    pub(crate) fn close(&self, transport: TransportId) {
        match self.away.as_ref().and_then(|away| away.end(&transport)) {
            None => self.sfu.close_transport(transport),
            Some(link) => link.tell(Ask::CloseTransport { transport }),
        }
    }

    /// The node behind a connection does not reach the one at `from`, and these connections there do not get what comes in at
    /// that one. If that is gone altogether there is nothing to get; else they are closed: their clients make others, here.
    pub(crate) async fn parted(&self, at: &Link, from: &str, transports: Vec<TransportId>) {
        let Some(away) = &self.away else { return };
        if away.spread.here() != Some(from) {
            tokio::time::sleep(FOUND_OUT_WITHIN).await;
            if !away.spread.reaches(from).await {
                return;
            }
        }
        away.is_unfit(at);
        for transport in transports {
            if self.is_away(&transport).is_some_and(|link| link.is(at)) {
                at.tell(Ask::CloseTransport { transport: transport.clone() });
                self.transport_closed(&transport).await;
            }
        }
    }

    /// The way to another node is lost, and with it what people had there. Those whose sockets went with it are not let back in
    /// before they know that, as after a crash of this node.
    pub(crate) async fn lost(&self, link: &Link) {
        let lost = self.away.iter().flat_map(|away| away.at(link)).collect::<Vec<_>>();
        self.are_lost(lost, HELD_FOR).await;
    }

    /// These are gone since so long ago.
    pub(super) async fn are_lost(&self, lost: Vec<TransportId>, ago: Duration) {
        let cut_off = self.publish_on(&lost);
        for transport in lost {
            self.transport_closed(&transport).await;
        }
        for (meeting, peers) in cut_off {
            self.cut_off(&meeting, peers, ago);
        }
    }
}
