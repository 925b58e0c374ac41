"""The part of GitHub's GraphQL schema that the embedded GitHub answers.

A test holds every type, field and argument here against the published schema.
"""

SDL = """
scalar DateTime
scalar URI
scalar GitObjectID

interface Node { id: ID! }
interface Actor { login: String! url: URI! }
type User implements Node & Actor { id: ID! databaseId: Int login: String! url: URI! name: String }
type Bot implements Node & Actor { id: ID! databaseId: Int login: String! url: URI! }
type Organization implements Node & Actor {
  id: ID! databaseId: Int login: String! url: URI! name: String
}

type PageInfo {
  endCursor: String
  hasNextPage: Boolean!
  hasPreviousPage: Boolean!
  startCursor: String
}

type RateLimit { cost: Int! limit: Int! remaining: Int! resetAt: DateTime! used: Int! }

type IssueTemplate { about: String body: String filename: String! name: String! title: String }
type PullRequestTemplate { body: String filename: String repository: Repository! }

type Repository implements Node {
  id: ID!
  databaseId: Int
  name: String!
  nameWithOwner: String!
  isPrivate: Boolean!
  url: URI!
  issueTemplates: [IssueTemplate!]
  pullRequestTemplates: [PullRequestTemplate!]
  issue(number: Int!): Issue
  pullRequest(number: Int!): PullRequest
}

enum IssueState { CLOSED OPEN }
enum PullRequestState { CLOSED MERGED OPEN }
enum DiffSide { LEFT RIGHT }
enum PullRequestReviewThreadSubjectType { FILE LINE }
enum ReportedContentClassifiers {
  ABUSE DUPLICATE OFF_TOPIC OUTDATED RESOLVED SPAM
}

type Issue implements Node {
  id: ID!
  fullDatabaseId: BigInt
  number: Int!
  title: String!
  body: String!
  state: IssueState!
  url: URI!
  author: Actor
}
scalar BigInt

type PullRequest implements Node {
  id: ID!
  fullDatabaseId: BigInt
  number: Int!
  title: String!
  body: String!
  state: PullRequestState!
  isDraft: Boolean!
  url: URI!
  author: Actor
  baseRefName: String!
  headRefName: String!
  headRefOid: GitObjectID!
  reviewThreads(
    after: String, before: String, first: Int, last: Int
  ): PullRequestReviewThreadConnection!
}

type PullRequestReviewThreadConnection {
  nodes: [PullRequestReviewThread]
  pageInfo: PageInfo!
  totalCount: Int!
}

type PullRequestReviewThread implements Node {
  id: ID!
  comments(
    after: String, before: String, first: Int, last: Int, skip: Int
  ): PullRequestReviewCommentConnection!
  diffSide: DiffSide!
  isCollapsed: Boolean!
  isOutdated: Boolean!
  isResolved: Boolean!
  line: Int
  originalLine: Int
  path: String!
  pullRequest: PullRequest!
  resolvedBy: User
  startLine: Int
  subjectType: PullRequestReviewThreadSubjectType!
  viewerCanReply: Boolean!
  viewerCanResolve: Boolean!
}

type PullRequestReviewCommentConnection {
  nodes: [PullRequestReviewComment]
  pageInfo: PageInfo!
  totalCount: Int!
}

interface Minimizable { isMinimized: Boolean! minimizedReason: String }

type PullRequestReviewComment implements Node & Minimizable {
  id: ID!
  fullDatabaseId: BigInt
  author: Actor
  body: String!
  createdAt: DateTime!
  isMinimized: Boolean!
  minimizedReason: String
  path: String!
  url: URI!
}

type IssueComment implements Node & Minimizable {
  id: ID!
  fullDatabaseId: BigInt
  author: Actor
  body: String!
  createdAt: DateTime!
  isMinimized: Boolean!
  minimizedReason: String
  url: URI!
}

type PullRequestReview implements Node & Minimizable {
  id: ID!
  fullDatabaseId: BigInt
  author: Actor
  body: String!
  createdAt: DateTime!
  isMinimized: Boolean!
  minimizedReason: String
  url: URI!
}

type Query {
  node(id: ID!): Node
  rateLimit(dryRun: Boolean): RateLimit
  repository(followRenames: Boolean, name: String!, owner: String!): Repository
  viewer: User!
}

input ResolveReviewThreadInput { clientMutationId: String threadId: ID! }
input UnresolveReviewThreadInput { clientMutationId: String threadId: ID! }
input AddPullRequestReviewThreadReplyInput {
  body: String!
  clientMutationId: String
  pullRequestReviewId: ID
  pullRequestReviewThreadId: ID!
}
input MinimizeCommentInput {
  classifier: ReportedContentClassifiers!
  clientMutationId: String
  subjectId: ID!
}
input UnminimizeCommentInput { clientMutationId: String subjectId: ID! }
input MarkPullRequestReadyForReviewInput { clientMutationId: String pullRequestId: ID! }
input ConvertPullRequestToDraftInput { clientMutationId: String pullRequestId: ID! }

type ResolveReviewThreadPayload { clientMutationId: String thread: PullRequestReviewThread }
type UnresolveReviewThreadPayload { clientMutationId: String thread: PullRequestReviewThread }
type AddPullRequestReviewThreadReplyPayload {
  clientMutationId: String
  comment: PullRequestReviewComment
}
type MinimizeCommentPayload { clientMutationId: String minimizedComment: Minimizable }
type UnminimizeCommentPayload { clientMutationId: String unminimizedComment: Minimizable }
type MarkPullRequestReadyForReviewPayload { clientMutationId: String pullRequest: PullRequest }
type ConvertPullRequestToDraftPayload { clientMutationId: String pullRequest: PullRequest }

type Mutation {
  addPullRequestReviewThreadReply(
    input: AddPullRequestReviewThreadReplyInput!
  ): AddPullRequestReviewThreadReplyPayload
  convertPullRequestToDraft(
    input: ConvertPullRequestToDraftInput!
  ): ConvertPullRequestToDraftPayload
  markPullRequestReadyForReview(
    input: MarkPullRequestReadyForReviewInput!
  ): MarkPullRequestReadyForReviewPayload
  minimizeComment(input: MinimizeCommentInput!): MinimizeCommentPayload
  resolveReviewThread(input: ResolveReviewThreadInput!): ResolveReviewThreadPayload
  unminimizeComment(input: UnminimizeCommentInput!): UnminimizeCommentPayload
  unresolveReviewThread(input: UnresolveReviewThreadInput!): UnresolveReviewThreadPayload
}
"""
