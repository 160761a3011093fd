//! What is known by a name: types, schemes, causes, states.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! named {
    ($(#[$doc:meta])* $name:ident as $schema:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[schema(as = $schema)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As it stands in rows.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// Reads what [`Self::as_str`] wrote.
            #[must_use]
            pub fn read(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text)
            }
        }
    };
}

named! {
    /// What makes a trigger fire.
    TriggerType as TriggerType {
        /// The clock.
        Cron = "cron",
        /// Something that happens in the account.
        Event = "event",
        /// Somebody outside who calls its URL.
        Webhook = "webhook",
    }
}

named! {
    /// How an inbound webhook proves that it comes from whoever knows the secret.
    Scheme as WebhookScheme {
        /// Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
        Standard = "standard",
        /// `X-Hub-Signature-256`, as GitHub signs.
        Github = "github",
        /// `Stripe-Signature`.
        Stripe = "stripe",
        /// The secret itself, in `X-Webhook-Secret` or as a bearer token.
        SharedSecret = "shared_secret",
    }
}

named! {
    /// What made a delivery.
    Cause as TriggerCause {
        /// A slot of the schedule.
        Cron = "cron",
        /// An event.
        Event = "event",
        /// An inbound webhook.
        Webhook = "webhook",
        /// Somebody fired by hand.
        Manual = "manual",
        /// Somebody delivered again what was delivered before.
        Redelivery = "redelivery",
    }
}

named! {
    /// Where a delivery stands.
    DeliveryStatus as TriggerDeliveryStatus {
        /// Its execution is still to be handed over.
        Queued = "queued",
        /// Its execution waits or runs.
        Running = "running",
        /// Its execution succeeded.
        Succeeded = "succeeded",
        /// Its execution failed, or could not be handed over.
        Failed = "failed",
        /// It was dropped, or its execution was cancelled.
        Cancelled = "cancelled",
    }
}

impl DeliveryStatus {
    /// Whether nothing follows.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// The kind of event that tells it.
    #[must_use]
    pub const fn event(self) -> &'static str {
        match self {
            Self::Queued => "trigger.fired",
            Self::Running => "trigger_delivery.started",
            Self::Succeeded => "trigger_delivery.succeeded",
            Self::Failed => "trigger_delivery.failed",
            Self::Cancelled => "trigger_delivery.cancelled",
        }
    }
}
