//! A line to the database that can be cut, both ways or one: what goes over it then stands still, as when a cable is pulled.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::copy;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

const SOCKET: &str = ".s.PGSQL.5432";

/// What passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passes {
    All,
    /// What is asked, and no answer.
    Asked,
    Nothing,
}

pub struct Line {
    folder: PathBuf,
    passes: watch::Sender<Passes>,
    pub url: String,
}

impl Line {
    /// To the server that `url` names by the folder of its socket; `None` if it does not.
    pub fn to(url: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (base, folder_there) = url.split_once("?host=")?;
        let folder =
            std::env::temp_dir().join(format!("salon-line-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        std::fs::create_dir_all(&folder).expect("a folder");
        let listener = UnixListener::bind(folder.join(SOCKET)).expect("a socket");
        let there = PathBuf::from(folder_there).join(SOCKET);
        let (passes, watching) = watch::channel(Passes::All);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, there.clone(), watching.clone()));
            }
        });
        let url = format!("{base}?host={}", folder.display());
        Some(Self { folder, passes, url })
    }

    pub fn cut(&self) {
        self.passes.send_replace(Passes::Nothing);
    }

    /// What is asked arrives, and no answer comes back.
    #[allow(dead_code, reason = "not every test that includes this cuts one way only")]
    pub fn cut_answers(&self) {
        self.passes.send_replace(Passes::Asked);
    }

    /// New connections work; those that stood still are gone.
    pub fn mend(&self) {
        self.passes.send_replace(Passes::All);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn pass(mut near: UnixStream, there: PathBuf, mut passes: watch::Receiver<Passes>) {
    if passes.wait_for(|passes| *passes == Passes::All).await.is_err() {
        return;
    }
    let Ok(mut far) = UnixStream::connect(there).await else { return };
    let ((mut near_reads, mut near_writes), (mut far_reads, mut far_writes)) = (near.split(), far.split());
    let mut asked = pin!(copy(&mut near_reads, &mut far_writes));
    let mut answered = pin!(copy(&mut far_reads, &mut near_writes));
    let mut watched = passes.clone();
    let is_cut = watched.wait_for(|passes| *passes != Passes::All);
    let cut = tokio::select! {
        _ = &mut asked => return,
        _ = &mut answered => return,
        cut = is_cut => cut.map(|cut| *cut),
    };
    let mended = passes.wait_for(|passes| *passes == Passes::All);
    if cut.is_ok_and(|cut| cut == Passes::Asked) {
        tokio::select! {
            () = async {
                let _ = asked.await;
                std::future::pending().await
            } => {}
            _ = mended => {}
        }
    } else {
        let _ = mended.await.map(drop);
    }
}
