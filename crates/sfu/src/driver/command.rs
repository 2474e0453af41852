//! How a request gets to the media thread that it is for, and its answer back.
//! What is to be done on an engine is said once, where it is asked for (`handle.rs`); here is what holds for all of it: whom
//! it is about, what it makes, and that a bug in it ends no more than that.
//! Next: `handle.rs` asks, `../driver.rs` obeys.

use std::time::Instant;

use tokio::sync::oneshot;

use super::directory::Directory;
use super::memory::Memory;
use super::neighbours::Neighbours;
use super::packed::Packed;
use super::tcp::lobby::Newcomer;
use crate::engine::{Engine, Gone};
use crate::{Error, TransportId};

pub(super) type Answer<T> = oneshot::Receiver<Result<T, Error>>;

pub(super) enum Command {
    /// For the engine.
    Do(Errand),
    /// For the thread itself: the engine knows datagrams only.
    Adopt(Box<Newcomer>),
    /// To be handed over to another process; goes on when the other end is dropped.
    Pack(oneshot::Sender<Packed>, std::sync::mpsc::Receiver<()>),
    Stop(oneshot::Sender<()>),
    /// A bug outside of what is guarded.
    #[cfg(test)]
    Panic,
}

/// Something to do on an engine.
pub(super) struct Errand(Box<Act>);

type Act = dyn FnOnce(&mut Engine, &Directory, &Neighbours, &mut Option<Memory>, Instant) + Send;

/// Where an errand is done.
pub(super) struct Workplace<'a> {
    pub engine: &'a mut Engine,
    pub neighbours: &'a Neighbours,
    pub now: Instant,
}

/// Whom an errand is about.
#[derive(Clone, Debug, Default)]
pub(super) struct About {
    /// The transport that it changes; a panic in it ends that.
    pub transport: Option<TransportId>,
    /// What it makes. If that fails, its entry in the directory goes.
    pub makes: Option<Gone>,
}

impl About {
    pub(super) fn nobody() -> Self {
        Self::default()
    }

    pub(super) fn transport(transport: &TransportId) -> Self {
        Self { transport: Some(transport.clone()), makes: None }
    }

    pub(super) fn making(self, what: Gone) -> Self {
        Self { makes: Some(what), ..self }
    }
}

impl Errand {
    /// With the place where its answer will be. After a panic there is none. A caller that went away does not undo what it
    /// asked for.
    pub(super) fn new<T: Send + 'static>(
        about: About,
        work: impl FnOnce(Workplace<'_>) -> Result<T, Error> + Send + 'static,
    ) -> (Self, Answer<T>) {
        let (reply, answer) = oneshot::channel();
        let errand = move |engine: &mut Engine,
                           directory: &Directory,
                           neighbours: &Neighbours,
                           memory: &mut Option<Memory>,
                           now: Instant| {
            let About { transport, makes } = about;
            let done = engine.obey_for(now, transport.as_ref(), |engine| work(Workplace { engine, neighbours, now }));
            // Before the answer, after which the name may be asked for again.
            if let (Some(makes), None | Some(Err(_))) = (makes, &done) {
                directory.forget(&makes);
            }
            // A client that was told of something is told the same by the next run.
            if let Some(memory) = memory {
                memory.save(now, engine);
            }
            if let Some(done) = done {
                let _ = reply.send(done);
            }
        };
        (Self(Box::new(errand)), answer)
    }

    pub(super) fn carry_out(
        self,
        engine: &mut Engine,
        directory: &Directory,
        neighbours: &Neighbours,
        memory: &mut Option<Memory>,
        now: Instant,
    ) {
        (self.0)(engine, directory, neighbours, memory, now);
    }
}
