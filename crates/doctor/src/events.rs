//! What a run tells while it goes on.

use undrop_frame::Ending;

/// Hears what a run does. Calls come from one thread, in order, and should return soon.
pub trait Listener {
    /// Something happened.
    fn hear(&self, news: News<'_>);
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum News<'a> {
    /// A stage begins at an endpoint.
    Stage {
        /// The endpoint, by the name of its place.
        endpoint: &'a str,
        /// What is done.
        stage: &'static str,
    },
    /// A stage is over.
    Done {
        /// What was done.
        stage: &'static str,
        /// The outcome in a few words.
        outcome: &'a str,
        /// It went well.
        good: bool,
    },
    /// Lanes begin that will be watched for this long.
    Watching {
        /// How many.
        lanes: usize,
        /// How long, seconds.
        until_s: f64,
    },
    /// A lane was opened.
    Opened {
        /// Its number within the run.
        lane: usize,
        /// What it does.
        name: &'a str,
    },
    /// A quiet lane asked, and this came of it.
    Asked {
        /// Its number.
        lane: usize,
        /// It was answered.
        answered: bool,
    },
    /// A lane ended.
    Ended {
        /// Its number.
        lane: usize,
        /// Its age, seconds.
        age_s: f64,
        /// How.
        end: &'a Ending,
    },
    /// A lane was alive when it was let go.
    Released {
        /// Its number.
        lane: usize,
    },
    /// A lane could not be opened.
    Failed {
        /// Its number.
        lane: usize,
        /// What it would have done.
        name: &'a str,
        /// Why not.
        end: &'a Ending,
    },
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Listener for Quiet {
    fn hear(&self, _news: News<'_>) {}
}
