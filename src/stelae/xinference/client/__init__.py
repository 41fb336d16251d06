"""The clients under the module that Xinference has them in."""

from stelae.xinference import AsyncClient, AsyncRESTfulClient, Client, RESTfulClient

__all__ = ["AsyncClient", "AsyncRESTfulClient", "Client", "RESTfulClient"]
