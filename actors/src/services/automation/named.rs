//! The words of jobs and runs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Makes an enum of words that rows and answers write alike.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident $(as $schema:ident)? { $($(#[$word_doc:meta])* $word:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        $(#[schema(as = $schema)])?
        pub enum $name {
            $($(#[$word_doc])* $word,)*
        }

        impl $name {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$word),*];

            /// As it stands in rows and answers.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => $text,)*
                }
            }

            pub(super) fn read(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text)
            }
        }
    };
}

words! {
    /// What becomes of a slot that comes while an earlier run goes on.
    Overlap {
        /// It is skipped.
        Skip = "skip",
        /// One waits for the earlier run's end; further ones are skipped.
        BufferOne = "buffer_one",
        /// All wait, up to `automation.buffer`.
        BufferAll = "buffer_all",
        /// The earlier run is cancelled.
        CancelOther = "cancel_other",
        /// It runs beside it.
        Allow = "allow",
    }
}

words! {
    /// What becomes of slots that nobody was there to see: the daemons were down, or behind.
    CatchUp {
        /// None of them runs.
        Skip = "skip",
        /// The latest runs, where no slot is on time.
        Latest = "latest",
        /// The latest `automation.catch_up_limit` of them run, one after another.
        All = "all",
    }
}

words! {
    /// In how many executions a run is done.
    Phases {
        /// First with the phase `check`; a second time, with `perform`, where the function answers `shouldPerform` or
        /// `performPayload` and does not say no.
        Auto = "auto",
        /// Once, with the phase `perform`.
        Once = "once",
        /// `check`, then `perform` unless the check says no; an empty answer is a yes.
        CheckPerform = "check_perform",
    }
}

words! {
    /// What made a run.
    RunKind {
        /// The schedule.
        Schedule = "schedule",
        /// An event that the job waits for.
        Event = "event",
        /// Somebody, by `trigger`.
        Manual = "manual",
        /// Somebody, by `backfill`.
        Backfill = "backfill",
    }
}

words! {
    /// Which execution of a run it is.
    Phase {
        /// Whether to perform.
        Check = "check",
        /// The performance.
        Perform = "perform",
    }
}

words! {
    /// What became of a slot.
    RunStatus as JobRunStatus {
        /// It waits for an earlier run's end, or for its turn.
        Queued = "queued",
        /// Its execution was handed over.
        Running = "running",
        /// Its executions succeeded.
        Succeeded = "succeeded",
        /// An execution failed, or could not begin.
        Failed = "failed",
        /// It was cancelled: by somebody, or by a later slot.
        Cancelled = "cancelled",
        /// An earlier run went on.
        SkippedOverlap = "skipped_overlap",
        /// The job was paused, and the resume dropped it.
        SkippedPaused = "skipped_paused",
        /// It came while nobody was there to see it, and the job does not catch up on it.
        Missed = "missed",
    }
}

impl RunStatus {
    /// Whether nothing changes any more, unless it is backfilled.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// Whether it never ran, so that a backfill may run it after all.
    #[must_use]
    pub const fn never_ran(self) -> bool {
        matches!(self, Self::SkippedOverlap | Self::SkippedPaused | Self::Missed)
    }

    /// What the event of it is called.
    #[must_use]
    pub const fn event(self) -> &'static str {
        match self {
            Self::Queued => "job_run.queued",
            Self::Running => "job_run.started",
            Self::Succeeded => "job_run.succeeded",
            Self::Failed => "job_run.failed",
            Self::Cancelled => "job_run.cancelled",
            Self::SkippedOverlap | Self::SkippedPaused => "job_run.skipped",
            Self::Missed => "job_run.missed",
        }
    }
}
