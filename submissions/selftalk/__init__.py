"""SelfTalk as a submission."""
