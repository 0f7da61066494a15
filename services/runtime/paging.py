"""Pages of a list, for whoever answers calls; the gateway, which knows no database, pages too."""

from services.storage.paging import Key, cut_page, decode_token, encode_token, page_size, query_key

__all__ = ["Key", "cut_page", "decode_token", "encode_token", "page_size", "query_key"]
