//! The techniques that can be carried out here, by the names that they have in Stratus Red Team.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalogue::Steps;

/// A technique that can be carried out here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) enum Technique {
    #[serde(rename = "aws.defense-evasion.cloudtrail-stop")]
    StopTrail,
    #[serde(rename = "aws.defense-evasion.cloudtrail-delete")]
    DeleteTrail,
    #[serde(rename = "aws.defense-evasion.cloudtrail-event-selectors")]
    SelectEvents,
    #[serde(rename = "aws.exfiltration.s3-backdoor-bucket-policy")]
    BackdoorBucket,
    #[serde(rename = "aws.persistence.iam-create-admin-user")]
    CreateAdminUser,
}

/// All of them.
pub(crate) const ALL: [Technique; 5] = [
    Technique::StopTrail,
    Technique::DeleteTrail,
    Technique::SelectEvents,
    Technique::BackdoorBucket,
    Technique::CreateAdminUser,
];

impl Technique {
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::StopTrail => "aws.defense-evasion.cloudtrail-stop",
            Self::DeleteTrail => "aws.defense-evasion.cloudtrail-delete",
            Self::SelectEvents => "aws.defense-evasion.cloudtrail-event-selectors",
            Self::BackdoorBucket => "aws.exfiltration.s3-backdoor-bucket-policy",
            Self::CreateAdminUser => "aws.persistence.iam-create-admin-user",
        }
    }

    /// The technique of that id, if it can be carried out here.
    pub(crate) fn of(id: &str) -> Option<Self> {
        ALL.into_iter().find(|technique| technique.id() == id)
    }

    pub(crate) fn steps(self) -> Steps {
        const TRAIL: &str =
            "cloudtrail:CreateTrail, with the tag StratusRedTeam and the operator's log bucket; cloudtrail:StartLogging";
        const NO_TRAIL: &str = "cloudtrail:DeleteTrail";
        match self {
            Self::StopTrail => Steps {
                warm_up: TRAIL,
                detonate: "cloudtrail:StopLogging",
                revert: "cloudtrail:StartLogging",
                clean_up: NO_TRAIL,
            },
            Self::DeleteTrail => Steps {
                warm_up: TRAIL,
                detonate: NO_TRAIL,
                revert: "nothing; the trail is gone, and warming up creates another",
                clean_up: NO_TRAIL,
            },
            Self::SelectEvents => Steps {
                warm_up: TRAIL,
                detonate: "cloudtrail:PutEventSelectors, so that no management event is logged",
                revert: "cloudtrail:PutEventSelectors, so that management events are logged",
                clean_up: NO_TRAIL,
            },
            Self::BackdoorBucket => Steps {
                warm_up: "s3:CreateBucket",
                detonate: "s3:PutBucketPolicy, which opens the empty bucket to the operator's other account",
                revert: "s3:DeleteBucketPolicy",
                clean_up: "s3:DeleteBucket",
            },
            Self::CreateAdminUser => Steps {
                warm_up: "nothing",
                detonate: "iam:CreateUser with the tag StratusRedTeam, iam:AttachUserPolicy with AdministratorAccess, iam:CreateAccessKey; the key is dropped",
                revert: "iam:DeleteAccessKey, iam:DetachUserPolicy, iam:DeleteUser",
                clean_up: "nothing",
            },
        }
    }
}
