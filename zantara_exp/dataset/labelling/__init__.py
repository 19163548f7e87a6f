"""Labels by hand: a page that shows chats one by one, and the rows that come of it."""
