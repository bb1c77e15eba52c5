//! The wish to stop early, with what is known so far.

use tokio::sync::watch;

/// Tells a run to stop. Dropping it means nothing.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// What a run looks at. Clones share it.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

/// A pair of the two.
pub fn stop() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Stops the run: stages are left, lanes are let go, and what was seen is returned.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Waits until the run is to stop; for ever, if nobody can tell it any more.
    pub(crate) async fn stopped(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|stopped| *stopped).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The run is to stop.
    pub(crate) fn is_set(&self) -> bool {
        *self.0.borrow()
    }
}
