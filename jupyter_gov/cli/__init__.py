"""`jupyter gov …`"""
